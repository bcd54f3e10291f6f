//! The ABI of nylon_ring.h in Zig: what the fields mean stands there. Function pointers are never null here: who takes a
//! table from the other side checks it first (`usable`).

const std = @import("std");

pub const version: u32 = 1;

pub const status_ok: u32 = 0;
pub const status_err: u32 = 1;
pub const status_invalid: u32 = 2;
pub const status_unsupported: u32 = 3;
pub const status_stream_end: u32 = 4;

pub const send_sent: u32 = 0;
pub const send_full: u32 = 1;
pub const send_closed: u32 = 2;
pub const send_invalid: u32 = 3;

pub const event_over: u32 = 0;
pub const event_cancelled: u32 = 1;
pub const event_writable: u32 = 2;

pub const watch_registered: u32 = 0;
pub const watch_already: u32 = 1;
pub const watch_closed: u32 = 2;
pub const watch_refused: u32 = 3;

pub const no_deadline: u64 = std.math.maxInt(u64);

pub const Str = extern struct {
    ptr: ?[*]const u8 = null,
    len: u32 = 0,

    /// A view of text, which has to be shorter than 4 GiB.
    pub fn of(text: []const u8) Str {
        return .{ .ptr = text.ptr, .len = @intCast(text.len) };
    }

    /// The text; null if it may not be read.
    pub fn slice(self: Str) ?[]const u8 {
        if (self.len == 0) return "";
        const text = (self.ptr orelse return null)[0..self.len];
        return if (std.unicode.utf8ValidateSlice(text)) text else null;
    }
};

pub const Bytes = extern struct {
    ptr: ?[*]const u8 = null,
    len: u64 = 0,

    pub fn of(bytes: []const u8) Bytes {
        return .{ .ptr = bytes.ptr, .len = bytes.len };
    }

    /// The bytes; null if they may not be read.
    pub fn slice(self: Bytes) ?[]const u8 {
        if (self.len == 0) return "";
        if (self.len > std.math.maxInt(i64)) return null;
        return (self.ptr orelse return null)[0..self.len];
    }
};

pub const Header = extern struct { key: Str, value: Str };

pub const Request = extern struct {
    path: Str,
    method: Str,
    query: Str,
    headers: ?[*]const Header,
    headers_len: u32,
    _reserved0: u32 = 0,
    _reserved1: u64 = 0,
};

pub const HostVTable = extern struct {
    send_result: *const fn (host_ctx: ?*anyopaque, sid: u64, status: u32, payload: Bytes) callconv(.c) void,
};

pub const HostApi = extern struct {
    struct_size: u32,
    flags: u32,
    host_ctx: ?*anyopaque,
    get_extension: ?*const fn (host_ctx: ?*anyopaque, id: [*:0]const u8) callconv(.c) ?*const anyopaque,
};

pub const PluginVTable = extern struct {
    init: ?*const fn (plugin_ctx: ?*anyopaque, host_ctx: ?*anyopaque, host: ?*const HostVTable) callconv(.c) u32,
    handle: ?*const fn (plugin_ctx: ?*anyopaque, sid: u64, req: ?*const Request, payload: Bytes) callconv(.c) u32,
    shutdown: ?*const fn (plugin_ctx: ?*anyopaque) callconv(.c) void,
};

pub const PluginInfo = extern struct {
    abi_version: u32 = version,
    struct_size: u32 = @sizeOf(PluginInfo),
    name: Str,
    version: Str,
    plugin_ctx: ?*anyopaque,
    vtable: *const PluginVTable,
};

pub const Callback = *const fn (user: ?*anyopaque, sid: u64, event: u32) callconv(.c) void;

/// `nylon.state/1`
pub const StateExt = extern struct {
    set_state: *const fn (host_ctx: ?*anyopaque, sid: u64, key: Str, value: Bytes) callconv(.c) Bytes,
    get_state: *const fn (host_ctx: ?*anyopaque, sid: u64, key: Str) callconv(.c) Bytes,
};

/// `nylon.log/1`
pub const LogExt = extern struct {
    struct_size: u32,
    _reserved0: u32,
    enabled: *const fn (host_ctx: ?*anyopaque, level: u32) callconv(.c) u32,
    log: *const fn (host_ctx: ?*anyopaque, sid: u64, level: u32, target: Str, message: Str) callconv(.c) void,
};

/// `nylon.stream/1`
pub const StreamExt = extern struct {
    struct_size: u32,
    _reserved0: u32,
    try_send: *const fn (host_ctx: ?*anyopaque, sid: u64, payload: Bytes) callconv(.c) u32,
    on_writable: *const fn (host_ctx: ?*anyopaque, sid: u64, callback: Callback, user: ?*anyopaque) callconv(.c) u32,
    credits: *const fn (host_ctx: ?*anyopaque, sid: u64) callconv(.c) u64,
};

/// `nylon.cancel/1`
pub const CancelExt = extern struct {
    struct_size: u32,
    _reserved0: u32,
    is_cancelled: *const fn (host_ctx: ?*anyopaque, sid: u64) callconv(.c) u32,
    on_cancel: *const fn (host_ctx: ?*anyopaque, sid: u64, callback: Callback, user: ?*anyopaque) callconv(.c) u32,
};

/// `nylon.deadline/1`
pub const DeadlineExt = extern struct {
    struct_size: u32,
    _reserved0: u32,
    remaining: *const fn (host_ctx: ?*anyopaque, sid: u64) callconv(.c) u64,
};

/// `nylon.config/1`
pub const ConfigExt = extern struct {
    struct_size: u32,
    _reserved0: u32,
    get: *const fn (host_ctx: ?*anyopaque) callconv(.c) Bytes,
};

pub const Buffer = extern struct { ptr: ?[*]u8, capacity: u64, _lease: u64 };

/// `nylon.buffer/1`
pub const BufferExt = extern struct {
    struct_size: u32,
    _reserved0: u32,
    reserve: *const fn (host_ctx: ?*anyopaque, sid: u64, len: u64) callconv(.c) Buffer,
    commit: *const fn (host_ctx: ?*anyopaque, sid: u64, status: u32, buffer: Buffer, len: u64) callconv(.c) void,
    release: *const fn (host_ctx: ?*anyopaque, buffer: Buffer) callconv(.c) void,
};

/// `nylon.instance/1`
pub const InstanceExt = extern struct {
    struct_size: u32 = @sizeOf(InstanceExt),
    _reserved0: u32 = 0,
    create: *const fn (plugin_ctx: ?*anyopaque, instance_ctx: ?*?*anyopaque) callconv(.c) u32,
    destroy: *const fn (plugin_ctx: ?*anyopaque, instance_ctx: ?*anyopaque) callconv(.c) void,
};

/// `nylon.quiesce/1`
pub const QuiesceExt = extern struct {
    struct_size: u32 = @sizeOf(QuiesceExt),
    _reserved0: u32 = 0,
    is_quiescent: *const fn (plugin_ctx: ?*anyopaque) callconv(.c) u32,
};

/// `nylon.health/1`
pub const HealthExt = extern struct {
    struct_size: u32 = @sizeOf(HealthExt),
    _reserved0: u32 = 0,
    check: *const fn (plugin_ctx: ?*anyopaque, detail: ?*Str) callconv(.c) u32,
};

/// A table that the host gave, if it is of this size at least and has all its functions. The state's table, older than
/// the rule, has no size of its own.
pub fn usable(comptime Table: type, given: ?*const anyopaque) ?*const Table {
    const words: [*]const u64 = @ptrCast(@alignCast(given orelse return null));
    const sized = Table != StateExt and Table != HostVTable;
    if (sized and @as(u32, @truncate(words[0])) < @sizeOf(Table)) return null;
    for (words[@intFromBool(sized) .. @sizeOf(Table) / 8]) |function| {
        if (function == 0) return null;
    }
    return @ptrCast(words);
}

fn check(comptime T: type, comptime size: usize, comptime offsets: anytype) void {
    if (@sizeOf(T) != size or @alignOf(T) != 8) @compileError(@typeName(T) ++ ": size or alignment");
    for (offsets) |field| {
        if (@offsetOf(T, field[0]) != field[1]) @compileError(@typeName(T) ++ "." ++ field[0] ++ ": offset");
    }
}

comptime {
    const builtin = @import("builtin");
    if (@sizeOf(usize) != 8 or builtin.cpu.arch.endian() != .little) {
        @compileError("the nylon-ring ABI is defined for 64-bit little-endian targets only");
    }
    const head = .{ .{ "struct_size", 0 }, .{ "_reserved0", 4 } };
    check(Str, 16, .{ .{ "ptr", 0 }, .{ "len", 8 } });
    check(Bytes, 16, .{ .{ "ptr", 0 }, .{ "len", 8 } });
    check(Header, 32, .{ .{ "key", 0 }, .{ "value", 16 } });
    check(Request, 72, .{ .{ "path", 0 }, .{ "method", 16 }, .{ "query", 32 }, .{ "headers", 48 } });
    check(Request, 72, .{ .{ "headers_len", 56 }, .{ "_reserved0", 60 }, .{ "_reserved1", 64 } });
    check(HostVTable, 8, .{.{ "send_result", 0 }});
    check(HostApi, 24, .{ .{ "struct_size", 0 }, .{ "flags", 4 }, .{ "host_ctx", 8 }, .{ "get_extension", 16 } });
    check(PluginVTable, 24, .{ .{ "init", 0 }, .{ "handle", 8 }, .{ "shutdown", 16 } });
    check(PluginInfo, 56, .{ .{ "abi_version", 0 }, .{ "struct_size", 4 }, .{ "name", 8 }, .{ "version", 24 } });
    check(PluginInfo, 56, .{ .{ "plugin_ctx", 40 }, .{ "vtable", 48 } });
    check(StateExt, 16, .{ .{ "set_state", 0 }, .{ "get_state", 8 } });
    check(LogExt, 24, head ++ .{ .{ "enabled", 8 }, .{ "log", 16 } });
    check(StreamExt, 32, head ++ .{ .{ "try_send", 8 }, .{ "on_writable", 16 }, .{ "credits", 24 } });
    check(CancelExt, 24, head ++ .{ .{ "is_cancelled", 8 }, .{ "on_cancel", 16 } });
    check(DeadlineExt, 16, head ++ .{.{ "remaining", 8 }});
    check(ConfigExt, 16, head ++ .{.{ "get", 8 }});
    check(Buffer, 24, .{ .{ "ptr", 0 }, .{ "capacity", 8 }, .{ "_lease", 16 } });
    check(BufferExt, 32, head ++ .{ .{ "reserve", 8 }, .{ "commit", 16 }, .{ "release", 24 } });
    check(InstanceExt, 24, head ++ .{ .{ "create", 8 }, .{ "destroy", 16 } });
    check(QuiesceExt, 16, head ++ .{.{ "is_quiescent", 8 }});
    check(HealthExt, 16, head ++ .{.{ "check", 8 }});
}
