//! Answers with frames, from a thread for each stream. What the paths mean stands in `examples/README.md`.

const std = @import("std");
const nr = @import("nylon_ring");

const Kind = enum { count, fail, flow, forever };

const Streaming = struct {
    threads: std.atomic.Value(u64) = .init(0),

    pub fn init(_: *const nr.Host) !Streaming {
        return .{};
    }

    pub fn handle(self: *Streaming, request: nr.Request, call: *nr.Call) !void {
        if (request.path.len == 0) return error.Unsupported;
        const kind = std.meta.stringToEnum(Kind, request.path[1..]) orelse return error.Unsupported;
        const n = switch (kind) {
            .count, .flow => number(request, "n"),
            .fail => number(request, "after"),
            .forever => std.math.maxInt(u64),
        } catch return call.fail(.invalid, "not a number of frames");
        if ((kind == .flow or kind == .forever) and call.host.stream == null) {
            return call.fail(.unsupported, "the host does not say how much a stream takes");
        }
        _ = self.threads.fetchAdd(1, .acq_rel);
        errdefer _ = self.threads.fetchSub(1, .acq_rel);
        const thread = try std.Thread.spawn(.{}, run, .{ self, kind, n, call.* });
        _ = call.take(); // it is the thread's now
        thread.detach();
    }

    fn run(self: *Streaming, kind: Kind, n: u64, borrowed: nr.Call) void {
        defer _ = self.threads.fetchSub(1, .acq_rel);
        var call = borrowed;
        var stream = call.stream();
        defer stream.deinit();
        var text: [20]u8 = undefined;
        for (0..n) |i| {
            const frame = std.fmt.bufPrint(&text, "{d}", .{i + 1}) catch unreachable; // 20 digits are enough for 64 bits
            switch (kind) {
                .count, .fail => stream.send(frame),
                .flow, .forever => stream.sendWaiting(frame) catch break, // given up
            }
        }
        if (kind == .fail) stream.fail(.err, "as it was told to") else stream.end("");
    }

    fn number(request: nr.Request, key: []const u8) !u64 {
        return std.fmt.parseUnsigned(u64, request.parameter(key) orelse "", 10);
    }

    /// There is nothing to shut down: the threads end with their streams, and the host ends those that are left.
    pub fn isQuiescent(self: *Streaming) bool {
        return self.threads.load(.acquire) == 0;
    }
};

comptime {
    nr.exportPlugin(Streaming, .{ .name = "streaming", .version = "0.1.0" });
}
