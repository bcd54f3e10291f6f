//! What the plugin answers.
//!
//! The handler runs on the host's thread, so none of these functions waits: what takes time goes to the [`Timer`],
//! which calls back on its own thread. The [`Call`] moves along. Whoever has it, owes the answer; should it be dropped
//! on the way, it answers with an error by itself.

use std::{str, time::Duration};

use nylon_ring_sdk::{Call, Error, Request, StreamSender};

use crate::timer::{Schedule, Timer};

/// How many frames a stream has.
const FRAMES: u32 = 5;

/// Answers after a while, as if a database had been asked.
pub(crate) fn hello(timer: &Timer, wait: Duration, req: Request<'_>, call: Call) {
    // The request is gone when the handler returns, so what the answer needs of it is copied here: as the answer
    // itself, in this case. `req.to_owned()` copies all of it.
    let answer = format!("OK: {} {}", req.method(), req.path());
    timer.schedule().after(wait, move |_| call.reply(answer));
}

/// Answers with several frames, one each time that `pause` has passed.
pub(crate) fn stream(timer: &Timer, pause: Duration, req: Request<'_>, call: Call) {
    let path = req.path().to_owned();
    let stream = call.stream();
    timer.schedule().after(pause, move |schedule| frame(schedule, pause, path, stream));
}

/// Sends one frame, and schedules the next one or ends the stream.
fn frame(schedule: &Schedule, pause: Duration, path: String, mut stream: StreamSender) {
    let i = match count_frame(&stream) {
        Ok(i) => i,
        Err(error) => return stream.err(error.to_string()),
    };
    stream.send(format!("Frame {i}/{FRAMES} from {path}"));
    if i < FRAMES {
        schedule.after(pause, move |schedule| frame(schedule, pause, path, stream));
    } else {
        stream.end();
    }
}

/// Counts the frames of this stream in the state that the host keeps for it, and returns the number of the new one.
///
/// A variable would do here. The state shows its worth where the frames of a stream come from different places.
fn count_frame(stream: &StreamSender) -> Result<u32, Error> {
    let before = stream.state().get("frames")?;
    let before = before.and_then(|text| str::from_utf8(&text).ok()?.parse().ok()).unwrap_or(0_u32);
    let i = before.saturating_add(1);
    stream.state().set("frames", i.to_string())?;
    Ok(i)
}

/// Stores method and path in the state, and answers with what is there then. It takes no time, so it answers at once.
pub(crate) fn state_demo(req: Request<'_>, call: Call) {
    match store_and_read_back(req, &call) {
        Ok(stored) => {
            let (method, path) = (req.method(), req.path());
            call.reply(format!("OK: {method} {path} (stored: {stored})"));
        }
        Err(error) => call.err(error.to_string()),
    }
}

fn store_and_read_back(req: Request<'_>, call: &Call) -> Result<String, Error> {
    let state = call.state();
    state.set("method", req.method())?;
    state.set("path", req.path())?;
    let stored = state.get("path")?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&stored).into_owned())
}
