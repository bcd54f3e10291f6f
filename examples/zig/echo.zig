//! Answers each request with what it was, inside `handle`. What the paths mean stands in `examples/README.md`.

const std = @import("std");
const nr = @import("nylon_ring");

const Echo = struct {
    host: *const nr.Host,

    pub fn init(host: *const nr.Host) !Echo {
        return .{ .host = host };
    }

    pub fn handle(self: *Echo, request: nr.Request, call: *nr.Call) !void {
        const path = request.path;
        if (is(path, "/invalid")) return call.fail(.invalid, "this path is invalid");
        if (is(path, "/unsupported")) return error.Unsupported;
        if (is(path, "/err")) return error.AsItWasToldTo;
        if (is(path, "/panic")) return error.PanicsEndTheProcess;
        if (is(path, "/drop")) return; // the SDK answers
        if (is(path, "/config")) return call.reply(self.host.config());
        if (is(path, "/state")) {
            try call.setState("k", request.body);
            return call.reply(call.getState("k") orelse "");
        }
        try echo(request, call);
    }

    /// `METHOD PATH?QUERY`, each header on a line of its own, an empty line, and the body.
    fn echo(request: nr.Request, call: *nr.Call) !void {
        var arena: std.heap.ArenaAllocator = .init(std.heap.c_allocator);
        defer arena.deinit();
        const parts = try arena.allocator().alloc([]const u8, request.headerCount() + 3);
        const first = .{ request.method, request.path, request.query };
        parts[0] = try std.fmt.allocPrint(arena.allocator(), "{s} {s}?{s}\n", first);
        for (0..request.headerCount()) |i| {
            const header = request.headerAt(i);
            parts[i + 1] = try std.fmt.allocPrint(arena.allocator(), "{s}: {s}\n", .{ header.key, header.value });
        }
        parts[parts.len - 2] = "\n";
        parts[parts.len - 1] = request.body;
        call.reply(try std.mem.concat(arena.allocator(), u8, parts));
    }
};

fn is(a: []const u8, b: []const u8) bool {
    return std.mem.eql(u8, a, b);
}

comptime {
    nr.exportPlugin(Echo, .{ .name = "echo", .version = "0.1.0" });
}
