//! One thread that serves any number of streams, each for a few frames at a time.

use std::{
    ops::ControlFlow,
    sync::mpsc::{Receiver, Sender},
};

use nylon_ring_sdk::{Error, StreamSender};

/// So many frames are sent before it is another stream's turn.
const FRAMES_A_TURN: usize = 64;

pub(crate) enum Work {
    Stream(Stream),
    Stop,
}

pub(crate) struct Stream {
    pub(crate) sender: StreamSender,
    /// The number of the next frame.
    pub(crate) next: u64,
    /// How many frames there are to be.
    pub(crate) last: u64,
    /// By `try_send`.
    pub(crate) flow: bool,
    /// In the end.
    pub(crate) fails: bool,
}

/// Serves streams until it is told to stop. `again` leads back to `todo`.
pub(crate) fn serve(todo: &Receiver<Work>, again: &Sender<Work>) {
    while let Ok(Work::Stream(mut stream)) = todo.recv() {
        let turn = (0..FRAMES_A_TURN).try_for_each(|_| stream.send_next());
        match turn {
            ControlFlow::Continue(()) => drop(again.send(Work::Stream(stream))),
            ControlFlow::Break(End::Waits) => stream.wait(again.clone()),
            ControlFlow::Break(End::Failed) => stream.sender.err("as it was told to"),
            ControlFlow::Break(End::Ended) => stream.sender.end(),
        }
    }
}

/// Why a turn ends early.
enum End {
    /// The window is full.
    Waits,
    Failed,
    /// All has been sent, or the caller has given the stream up: it is ended all the same.
    Ended,
}

impl Stream {
    fn send_next(&mut self) -> ControlFlow<End> {
        if self.next > self.last {
            return ControlFlow::Break(if self.fails { End::Failed } else { End::Ended });
        }
        let frame = self.next.to_string();
        if !self.flow {
            self.sender.send(frame);
        } else if let Err(error) = self.sender.try_send(frame) {
            return ControlFlow::Break(if matches!(error, Error::WindowFull) { End::Waits } else { End::Ended });
        }
        self.next += 1;
        ControlFlow::Continue(())
    }

    /// Is served again when the window has room, or the stream was given up.
    fn wait(self, again: Sender<Work>) {
        let Self { sender, next, last, flow, fails } = self;
        sender.when_writable(move |sender| {
            drop(again.send(Work::Stream(Self { sender, next, last, flow, fails })));
        });
    }
}
