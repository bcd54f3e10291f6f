//! The frames of one call.

const std = @import("std");
const abi = @import("abi.zig");
const Call = @import("call.zig").Call;
const Event = @import("call.zig").Event;
const Failure = @import("call.zig").Failure;
const Watch = @import("call.zig").Watch;
const trampoline = @import("call.zig").trampoline;

/// Sends any number of frames, then one that ends the stream. One thread at a time may use it.
///
///     var stream = call.stream();
///     defer stream.deinit(); // ends with an error what was not ended
pub const StreamSender = struct {
    call: Call,

    /// Ends the stream with an error if nothing has ended it.
    pub fn deinit(self: *StreamSender) void {
        self.call.deinit();
    }

    /// Sends a copy of a frame at once: what the reader does not take is buffered by the host. Past the host's buffer
    /// limit the stream ends with an error, so this is for few and small frames.
    pub fn send(self: *StreamSender, frame: []const u8) void {
        if (self.call.open) self.call.host.send(self.call.sid, abi.status_ok, frame);
    }

    /// Sends a copy of a frame if the stream's window has room for it. With a host that has no windows it always has.
    pub fn trySend(self: *StreamSender, frame: []const u8) error{ Full, Closed, TooLarge }!void {
        if (!self.call.open) return error.Closed;
        const table = self.call.host.stream orelse return self.send(frame);
        return switch (table.try_send(self.call.host.ctx, self.call.sid, .of(frame))) {
            abi.send_sent => {},
            abi.send_full => error.Full,
            abi.send_invalid => error.TooLarge,
            else => error.Closed,
        };
    }

    /// The same, but blocks until there is room: for threads of the plugin's own, never for `handle` or a callback.
    pub fn sendWaiting(self: *StreamSender, frame: []const u8) error{ Closed, TooLarge, Refused }!void {
        while (true) {
            self.trySend(frame) catch |e| switch (e) {
                error.Full => {
                    try self.wait();
                    continue;
                },
                error.Closed => return error.Closed,
                error.TooLarge => return error.TooLarge,
            };
            return;
        }
    }

    fn wait(self: *StreamSender) error{ Closed, Refused }!void {
        // The callback comes exactly once, so what it needs may lie on this thread's stack until it came.
        var signal: Signal = .{};
        switch (self.onWritable(&signal, Signal.set)) {
            .registered => signal.wait(),
            .already => {},
            .closed => return error.Closed,
            .refused => return error.Refused,
        }
    }

    /// Has `callback` called with `context`, a pointer, once the stream takes frames again, or is given up, or over. It
    /// must not block. After `registered` the context may be gone already: it is the callback's.
    pub fn onWritable(
        self: *const StreamSender,
        context: anytype,
        comptime callback: fn (context: @TypeOf(context), event: Event) void,
    ) Watch {
        const table = self.call.host.stream orelse return .already;
        const function = trampoline(@TypeOf(context), callback);
        return Call.watch(table.on_writable(self.call.host.ctx, self.call.sid, function, @ptrCast(context)));
    }

    /// How many frames the window has room for now.
    pub fn credits(self: *const StreamSender) u64 {
        const table = self.call.host.stream orelse return std.math.maxInt(u64);
        return table.credits(self.call.host.ctx, self.call.sid);
    }

    /// Ends the stream well, with the bytes of the last frame.
    pub fn end(self: *StreamSender, payload: []const u8) void {
        if (!self.call.open) return;
        self.call.open = false;
        self.call.host.send(self.call.sid, abi.status_stream_end, payload);
    }

    /// Ends the stream with an error.
    pub fn fail(self: *StreamSender, failure: Failure, text: []const u8) void {
        self.call.fail(failure, text);
    }
};

/// A flag that one thread waits for and another sets.
const Signal = struct {
    mutex: std.c.pthread_mutex_t = .{},
    changed: std.c.pthread_cond_t = .{},
    is_set: bool = false,

    /// The waiting thread leaves, and with it this struct, only after the mutex is free: nothing of it is used then.
    fn set(self: *Signal, _: Event) void {
        _ = std.c.pthread_mutex_lock(&self.mutex);
        self.is_set = true;
        _ = std.c.pthread_cond_signal(&self.changed);
        _ = std.c.pthread_mutex_unlock(&self.mutex);
    }

    fn wait(self: *Signal) void {
        _ = std.c.pthread_mutex_lock(&self.mutex);
        while (!self.is_set) _ = std.c.pthread_cond_wait(&self.changed, &self.mutex);
        _ = std.c.pthread_mutex_unlock(&self.mutex);
    }
};
