//! What a call asks for.

const std = @import("std");
const abi = @import("abi.zig");

pub const Header = struct { key: []const u8, value: []const u8 };

/// A request, borrowed: valid until `handle` returns. `dupe` makes a copy to keep. All text is UTF-8.
pub const Request = struct {
    method: []const u8,
    path: []const u8,
    query: []const u8, // without the question mark
    body: []const u8,
    raw_headers: []const abi.Header,

    /// Null if the request breaks the contract.
    pub fn of(raw: *const abi.Request, payload: abi.Bytes) ?Request {
        const headers: []const abi.Header = if (raw.headers_len == 0)
            &.{}
        else
            (raw.headers orelse return null)[0..raw.headers_len];
        for (headers) |h| {
            _ = h.key.slice() orelse return null;
            _ = h.value.slice() orelse return null;
        }
        return .{
            .method = raw.method.slice() orelse return null,
            .path = raw.path.slice() orelse return null,
            .query = raw.query.slice() orelse return null,
            .body = payload.slice() orelse return null,
            .raw_headers = headers,
        };
    }

    pub fn headerCount(self: Request) usize {
        return self.raw_headers.len;
    }

    /// The header at `index`, in the order that the caller gave.
    pub fn headerAt(self: Request, index: usize) Header {
        const raw = self.raw_headers[index];
        return .{ .key = raw.key.slice() orelse "", .value = raw.value.slice() orelse "" };
    }

    /// The value of the first header of that name, in any case of ASCII letters.
    pub fn header(self: Request, key: []const u8) ?[]const u8 {
        for (0..self.headerCount()) |i| {
            const h = self.headerAt(i);
            if (std.ascii.eqlIgnoreCase(h.key, key)) return h.value;
        }
        return null;
    }

    /// The value of the first parameter of that name in the query, as it stands there.
    pub fn parameter(self: Request, key: []const u8) ?[]const u8 {
        var pairs = std.mem.splitScalar(u8, self.query, '&');
        while (pairs.next()) |pair| {
            if (pair.len > key.len and pair[key.len] == '=' and std.mem.startsWith(u8, pair, key)) {
                return pair[key.len + 1 ..];
            }
        }
        return null;
    }

    /// A copy to keep after `handle` has returned.
    pub fn dupe(self: Request, allocator: std.mem.Allocator) !OwnedRequest {
        var arena: std.heap.ArenaAllocator = .init(allocator);
        errdefer arena.deinit();
        const a = arena.allocator();
        const headers = try a.alloc(abi.Header, self.headerCount());
        for (headers, 0..) |*copy, i| {
            const h = self.headerAt(i);
            copy.* = .{ .key = .of(try a.dupe(u8, h.key)), .value = .of(try a.dupe(u8, h.value)) };
        }
        const view: Request = .{
            .method = try a.dupe(u8, self.method),
            .path = try a.dupe(u8, self.path),
            .query = try a.dupe(u8, self.query),
            .body = try a.dupe(u8, self.body),
            .raw_headers = headers,
        };
        return .{ .arena = arena, .view = view };
    }
};

/// A copy of a request.
pub const OwnedRequest = struct {
    arena: std.heap.ArenaAllocator,
    /// Valid until `deinit`.
    view: Request,

    pub fn deinit(self: *OwnedRequest) void {
        self.arena.deinit();
    }
};
