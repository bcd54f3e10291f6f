//! Tests of what needs no host: `zig test -lc plugin-sdk/zig/test.zig`. What does is checked through one, in
//! `examples/conformance`.

const std = @import("std");
const abi = @import("abi.zig");
const nr = @import("nylon_ring.zig");
const testing = std.testing;

// What is not called anywhere is compiled here at least.
test "everything compiles" {
    inline for (.{ nr.Host, nr.Call, nr.StreamSender, nr.Request, nr.OwnedRequest, nr.Failure }) |T| {
        std.testing.refAllDecls(T);
    }
    const Config = struct { limit: u32 = 7 };
    const host: nr.Host = .{ .ctx = null, .vtable = &.{ .send_result = Recorder.sendResult } };
    const config = try host.parseConfig(Config, testing.allocator);
    defer config.deinit();
    try testing.expectEqual(7, config.value.limit);
    host.log(.info, "target", "{d}", .{1});
}

test "errors become statuses" {
    try testing.expectEqual(abi.status_invalid, nr.failureOf(error.Invalid).status());
    try testing.expectEqual(abi.status_unsupported, nr.failureOf(error.Unsupported).status());
    try testing.expectEqual(abi.status_err, nr.failureOf(error.OutOfMemory).status());
}

/// A request with three headers, of which two have one name.
const headers = [_]abi.Header{
    .{ .key = .of("Host"), .value = .of("a") },
    .{ .key = .of("x"), .value = .of("1") },
    .{ .key = .of("X"), .value = .of("2") },
};
const asked: abi.Request = .{
    .path = .of("/p"),
    .method = .of("GET"),
    .query = .of("ab=1&a=2&a=3&b"),
    .headers = &headers,
    .headers_len = headers.len,
};

test "a request is read" {
    const request = nr.Request.of(&asked, .of("body")).?;
    try testing.expectEqualStrings("/p", request.path);
    try testing.expectEqualStrings("body", request.body);
    try testing.expectEqualStrings("a", request.header("host").?);
    try testing.expectEqualStrings("1", request.header("X").?);
    try testing.expectEqual(null, request.header("y"));
    try testing.expectEqualStrings("2", request.parameter("a").?);
    try testing.expectEqual(null, request.parameter("b"));
}

test "a copy of a request outlives it" {
    var path = "/path".*;
    var raw = asked;
    raw.path = .of(&path);
    var owned = try nr.Request.of(&raw, .of("body")).?.dupe(testing.allocator);
    defer owned.deinit();
    path = "/gone".*;
    try testing.expectEqualStrings("/path", owned.view.path);
    try testing.expectEqual(3, owned.view.headerCount());
    try testing.expectEqualStrings("2", owned.view.headerAt(2).value);
}

test "what breaks the contract is not read" {
    var raw = asked;
    raw.path = .{ .ptr = null, .len = 1 };
    try testing.expectEqual(null, nr.Request.of(&raw, .{}));
    raw.path = .of("\xff");
    try testing.expectEqual(null, nr.Request.of(&raw, .{}));
    raw = asked;
    raw.headers = null;
    try testing.expectEqual(null, nr.Request.of(&raw, .{}));
    try testing.expectEqual(null, nr.Request.of(&asked, .{ .ptr = null, .len = 1 }));
    try testing.expectEqual(null, nr.Request.of(&asked, .{ .ptr = "x", .len = 1 << 63 }));
}

test "a table that is short or has holes is not used" {
    var words = [_]u64{ @sizeOf(abi.CancelExt), 1, 1 };
    try testing.expect(abi.usable(abi.CancelExt, &words) != null);
    words[2] = 0;
    try testing.expectEqual(null, abi.usable(abi.CancelExt, &words));
    words = .{ @sizeOf(abi.CancelExt) - 1, 1, 1 };
    try testing.expectEqual(null, abi.usable(abi.CancelExt, &words));
    try testing.expectEqual(null, abi.usable(abi.CancelExt, null));
}

/// A host that remembers the last result.
const Recorder = struct {
    var count: usize = 0;
    var status: u32 = 0;

    fn sendResult(_: ?*anyopaque, _: u64, given: u32, _: abi.Bytes) callconv(.c) void {
        count += 1;
        status = given;
    }
};

test "a call is answered exactly once" {
    const host: nr.Host = .{ .ctx = null, .vtable = &.{ .send_result = Recorder.sendResult } };
    Recorder.count = 0;
    var call: nr.Call = .{ .host = &host, .sid = 1 };
    call.reply("");
    call.fail(.err, "");
    call.deinit();
    try testing.expectEqual(1, Recorder.count);
    try testing.expectEqual(abi.status_ok, Recorder.status);

    var moved: nr.Call = .{ .host = &host, .sid = 2 };
    var taken = moved.take();
    moved.deinit();
    try testing.expectEqual(1, Recorder.count);
    taken.deinit();
    try testing.expectEqual(2, Recorder.count);
    try testing.expectEqual(abi.status_err, Recorder.status);
}

test "a stream ends exactly once" {
    const host: nr.Host = .{ .ctx = null, .vtable = &.{ .send_result = Recorder.sendResult } };
    Recorder.count = 0;
    var call: nr.Call = .{ .host = &host, .sid = 1 };
    var stream = call.stream();
    stream.send("");
    try stream.sendWaiting("");
    stream.end("");
    stream.send("");
    stream.deinit();
    call.deinit();
    try testing.expectEqual(error.Closed, stream.trySend(""));
    try testing.expectEqual(3, Recorder.count);
    try testing.expectEqual(abi.status_stream_end, Recorder.status);
}
