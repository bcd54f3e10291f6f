//! Answers from threads of its own. What the paths mean stands in `examples/README.md`.

const std = @import("std");
const nr = @import("nylon_ring");

extern "c" fn usleep(microseconds: c_uint) c_int;

const Background = struct {
    cancelled: std.atomic.Value(u64) = .init(0),
    threads: std.atomic.Value(u64) = .init(0),
    stopping: std.atomic.Value(bool) = .init(false),

    pub fn init(_: *const nr.Host) !Background {
        return .{};
    }

    pub fn handle(self: *Background, request: nr.Request, call: *nr.Call) !void {
        if (std.mem.eql(u8, request.path, "/work")) {
            const ms = std.fmt.parseUnsigned(u64, request.parameter("ms") orelse "", 10) catch
                return call.fail(.invalid, "ms is not a number of milliseconds");
            return self.start(ms, call);
        }
        if (std.mem.eql(u8, request.path, "/wait-cancel")) return self.waitCancel(call);
        var text: [20]u8 = undefined;
        if (std.mem.eql(u8, request.path, "/cancelled")) {
            return call.reply(try std.fmt.bufPrint(&text, "{d}", .{self.cancelled.load(.acquire)}));
        }
        if (std.mem.eql(u8, request.path, "/deadline")) {
            const nanoseconds = call.remaining() orelse return call.reply("none");
            return call.reply(try std.fmt.bufPrint(&text, "{d}", .{nanoseconds / std.time.ns_per_ms}));
        }
        call.fail(.unsupported, "no such path");
    }

    /// A thread for each call: simple, and good enough for a few.
    fn start(self: *Background, ms: u64, call: *nr.Call) !void {
        _ = self.threads.fetchAdd(1, .acq_rel);
        errdefer _ = self.threads.fetchSub(1, .acq_rel);
        const thread = try std.Thread.spawn(.{}, work, .{ self, ms, call.* });
        _ = call.take(); // it is the thread's now
        thread.detach();
    }

    fn work(self: *Background, ms: u64, borrowed: nr.Call) void {
        defer _ = self.threads.fetchSub(1, .acq_rel);
        var call = borrowed;
        defer call.deinit();
        for (0..ms) |_| {
            _ = usleep(1000);
            if (self.stopping.load(.acquire)) return call.fail(.err, "the plugin is stopped");
            if (call.isCancelled()) return call.fail(.err, "nobody waits any more");
        }
        call.reply("done");
    }

    /// No thread waits here: the host calls back.
    fn waitCancel(self: *Background, call: *nr.Call) !void {
        if (call.host.cancel == null) return call.fail(.unsupported, "the host does not say when a call is cancelled");
        const waiting = try std.heap.c_allocator.create(Waiting);
        waiting.* = .{ .plugin = self, .call = call.take() };
        switch (waiting.call.onCancel(waiting, Waiting.cancelled)) {
            .registered => {}, // it may be gone already
            .closed, .already => waiting.cancelled(.cancelled),
            .refused => waiting.cancelled(.over),
        }
    }

    pub fn shutdown(self: *Background) void {
        self.stopping.store(true, .release);
        while (!self.isQuiescent()) _ = usleep(1000);
    }

    pub fn isQuiescent(self: *Background) bool {
        return self.threads.load(.acquire) == 0;
    }
};

/// A call that is answered when it is cancelled.
const Waiting = struct {
    plugin: *Background,
    call: nr.Call,

    fn cancelled(self: *Waiting, event: nr.Event) void {
        if (event == .cancelled) _ = self.plugin.cancelled.fetchAdd(1, .acq_rel);
        self.call.fail(.err, "nobody waits any more");
        std.heap.c_allocator.destroy(self);
    }
};

comptime {
    nr.exportPlugin(Background, .{ .name = "background", .version = "0.1.0" });
}
