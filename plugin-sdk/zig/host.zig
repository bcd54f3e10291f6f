//! The host that loaded the plugin.

const std = @import("std");
const abi = @import("abi.zig");

pub const Level = enum {
    err,
    warn,
    info,
    debug,
    trace,

    fn number(self: Level) u32 {
        return switch (self) {
            .err => 1,
            .warn => 2,
            .info => 3,
            .debug => 4,
            .trace => 5,
        };
    }
};

/// The way to the host. It stays where it is and valid for ever; any thread may use it.
///
/// The tables are those of extensions that the host offers. What needs one does without where it is null.
pub const Host = struct {
    ctx: ?*anyopaque,
    vtable: *const abi.HostVTable,
    state: ?*const abi.StateExt = null,
    log_table: ?*const abi.LogExt = null,
    stream: ?*const abi.StreamExt = null,
    cancel: ?*const abi.CancelExt = null,
    deadline: ?*const abi.DeadlineExt = null,
    config_table: ?*const abi.ConfigExt = null,
    buffer: ?*const abi.BufferExt = null,

    /// What `init` was given, with the extensions of the same host.
    pub fn of(ctx: ?*anyopaque, vtable: *const abi.HostVTable, attached: ?*const abi.HostApi) Host {
        var host: Host = .{ .ctx = ctx, .vtable = vtable };
        const api = attached orelse return host;
        if (api.struct_size < @sizeOf(abi.HostApi) or api.host_ctx != ctx) return host;
        const find = api.get_extension orelse return host;
        host.state = abi.usable(abi.StateExt, find(ctx, "nylon.state/1"));
        host.log_table = abi.usable(abi.LogExt, find(ctx, "nylon.log/1"));
        host.stream = abi.usable(abi.StreamExt, find(ctx, "nylon.stream/1"));
        host.cancel = abi.usable(abi.CancelExt, find(ctx, "nylon.cancel/1"));
        host.deadline = abi.usable(abi.DeadlineExt, find(ctx, "nylon.deadline/1"));
        host.config_table = abi.usable(abi.ConfigExt, find(ctx, "nylon.config/1"));
        host.buffer = abi.usable(abi.BufferExt, find(ctx, "nylon.buffer/1"));
        return host;
    }

    /// The configuration that the operator gave for this plugin: valid for ever, empty if there is none.
    pub fn config(self: *const Host) []const u8 {
        const table = self.config_table orelse return "";
        return table.get(self.ctx).slice() orelse "";
    }

    /// The configuration read as JSON. Without one it is read as `{}`, so that the fields' defaults count.
    pub fn parseConfig(self: *const Host, comptime T: type, allocator: std.mem.Allocator) !std.json.Parsed(T) {
        const text = self.config();
        return std.json.parseFromSlice(T, allocator, if (text.len == 0) "{}" else text, .{});
    }

    pub fn logs(self: *const Host, level: Level) bool {
        const table = self.log_table orelse return false;
        return table.enabled(self.ctx, level.number()) != 0;
    }

    /// Logs through the host: `target` says which part of the plugin speaks. Nothing where the host takes no logs.
    pub fn log(self: *const Host, level: Level, target: []const u8, comptime format: []const u8, args: anytype) void {
        self.logOf(0, level, target, format, args);
    }

    /// The same, about one call. What does not fit into 1 KiB is cut off.
    pub fn logOf(
        self: *const Host,
        sid: u64,
        level: Level,
        target: []const u8,
        comptime format: []const u8,
        args: anytype,
    ) void {
        const table = self.log_table orelse return;
        if (!self.logs(level)) return;
        var buffer: [1024]u8 = @splat(0);
        const text = std.fmt.bufPrint(&buffer, format, args) catch std.mem.sliceTo(&buffer, 0);
        table.log(self.ctx, sid, level.number(), .of(target), .of(text));
    }

    pub fn send(self: *const Host, sid: u64, status: u32, payload: []const u8) void {
        self.vtable.send_result(self.ctx, sid, status, .of(payload));
    }
};
