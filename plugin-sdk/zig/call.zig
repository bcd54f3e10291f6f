//! One call, to be answered exactly once.

const abi = @import("abi.zig");
const Host = @import("host.zig").Host;
const Level = @import("host.zig").Level;
const StreamSender = @import("stream.zig").StreamSender;

/// How a call fails.
pub const Failure = enum {
    err,
    invalid,
    unsupported,

    pub fn status(self: Failure) u32 {
        return switch (self) {
            .err => abi.status_err,
            .invalid => abi.status_invalid,
            .unsupported => abi.status_unsupported,
        };
    }
};

/// The failure that an error of Zig stands for: `error.Invalid`, `error.Unsupported`, and `err` for all others.
pub fn failureOf(e: anyerror) Failure {
    return switch (e) {
        error.Invalid => .invalid,
        error.Unsupported => .unsupported,
        else => .err,
    };
}

/// What a callback is told.
pub const Event = enum {
    /// Nothing happened, and nothing will: the call is over.
    over,
    /// Nobody waits for the call any more. It still has to be answered.
    cancelled,
    /// The stream takes frames again.
    writable,

    fn of(raw: u32) Event {
        return switch (raw) {
            abi.event_cancelled => .cancelled,
            abi.event_writable => .writable,
            else => .over,
        };
    }
};

/// What became of a registration.
pub const Watch = enum {
    /// The callback is called exactly once, or was already: on any thread, perhaps before the registration returns.
    registered,
    /// What it waits for is so now. The callback is not called.
    already,
    /// The call is over or given up. The callback is not called.
    closed,
    /// The host takes no more of them, or does not offer the extension. The callback is not called.
    refused,

    fn of(raw: u32) Watch {
        return switch (raw) {
            abi.watch_registered => .registered,
            abi.watch_already => .already,
            abi.watch_closed => .closed,
            else => .refused,
        };
    }
};

/// A function that C may call with `context` (a pointer), which it hands to `callback`. It must not block.
pub fn trampoline(comptime Context: type, comptime callback: fn (context: Context, event: Event) void) abi.Callback {
    return struct {
        fn call(user: ?*anyopaque, _: u64, event: u32) callconv(.c) void {
            callback(@ptrCast(@alignCast(user)), .of(event));
        }
    }.call;
}

/// One call. `handle` borrows it; a handler that answers later moves it out with `take`.
///
/// The first of `reply`, `fail` and `stream` ends it, all later ones do nothing. Who takes a call sees to it that it is
/// answered:
///
///     var mine = call.take();
///     defer mine.deinit(); // answers with an error what was not answered
pub const Call = struct {
    host: *const Host,
    sid: u64,
    open: bool = true,

    /// Moves the call out: the one that is left counts as answered.
    pub fn take(self: *Call) Call {
        const taken = self.*;
        self.open = false;
        return taken;
    }

    /// Answers with an error if nothing has answered.
    pub fn deinit(self: *Call) void {
        self.fail(.err, "the plugin dropped the call without ending it");
    }

    /// Ends the call well. The bytes are copied.
    pub fn reply(self: *Call, payload: []const u8) void {
        self.end(abi.status_ok, payload);
    }

    /// Ends the call with an error. The text is copied.
    pub fn fail(self: *Call, failure: Failure, text: []const u8) void {
        self.end(failure.status(), text);
    }

    fn end(self: *Call, status: u32, payload: []const u8) void {
        if (!self.open) return;
        self.open = false;
        self.host.send(self.sid, status, payload);
    }

    /// Makes the call a streaming one; it is ended by the sender then.
    pub fn stream(self: *Call) StreamSender {
        return .{ .call = self.take() };
    }

    /// Stores a copy of `value` in the host, for this call, until it is over.
    pub fn setState(self: *const Call, key: []const u8, value: []const u8) error{ NoState, Refused }!void {
        const table = self.host.state orelse return error.NoState;
        if (table.set_state(self.host.ctx, self.sid, .of(key), .of(value)).len != 0) return error.Refused;
    }

    /// What is stored for this call, valid until it is answered; null if nothing is.
    pub fn getState(self: *const Call, key: []const u8) ?[]const u8 {
        const table = self.host.state orelse return null;
        const found = table.get_state(self.host.ctx, self.sid, .of(key));
        return if (found.ptr == null) null else found.slice();
    }

    /// Whether nobody waits for the answer any more. False where the host does not say.
    pub fn isCancelled(self: *const Call) bool {
        const table = self.host.cancel orelse return false;
        return table.is_cancelled(self.host.ctx, self.sid) != 0;
    }

    /// Has `callback` called with `context`, a pointer, once nobody waits for the answer any more, or else once the call
    /// is over. It must not block. After `registered` the context may be gone already: it is the callback's.
    pub fn onCancel(
        self: *const Call,
        context: anytype,
        comptime callback: fn (context: @TypeOf(context), event: Event) void,
    ) Watch {
        const table = self.host.cancel orelse return .refused;
        const function = trampoline(@TypeOf(context), callback);
        return .of(table.on_cancel(self.host.ctx, self.sid, function, @ptrCast(context)));
    }

    /// Nanoseconds until the deadline, 0 if it has passed; null if there is none, or the host does not say.
    pub fn remaining(self: *const Call) ?u64 {
        const table = self.host.deadline orelse return null;
        const left = table.remaining(self.host.ctx, self.sid);
        return if (left == abi.no_deadline) null else left;
    }

    /// Logs about this call, as `Host.log` does.
    pub fn log(self: *const Call, level: Level, target: []const u8, comptime format: []const u8, args: anytype) void {
        self.host.logOf(self.sid, level, target, format, args);
    }

    pub fn watch(raw: u32) Watch {
        return .of(raw);
    }
};
