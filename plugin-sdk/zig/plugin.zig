//! What the host calls: the exported functions, and what a plugin may do when.
//!
//!   phase      init      handle             shutdown
//!   loaded     starts    Invalid            stops
//!   starting   Invalid   Invalid            stops
//!   running    Invalid   calls the plugin   stops, calls the plugin's shutdown
//!   stopped    Invalid   Invalid            nothing
//!
//! No phase is left backwards, so a library that two hosts share serves the first and refuses the second.

const std = @import("std");
const abi = @import("abi.zig");
const Host = @import("host.zig").Host;
const Request = @import("request.zig").Request;
const Call = @import("call.zig").Call;
const failureOf = @import("call.zig").failureOf;

pub const Options = struct { name: []const u8, version: []const u8 };

const Phase = enum(u32) { loaded, starting, running, stopped };

/// Exports the plugin `P`, a struct with
///
///     pub fn init(host: *const Host) !P                                // starts it; an error refuses to
///     pub fn handle(self: *P, request: Request, call: *Call) !void     // one call, on a thread of the host: never blocks
///     pub fn shutdown(self: *P) void                                   // optional: stops it
///     pub fn health(self: *P) ?[]const u8                              // optional: what is wrong with it
///     pub fn isQuiescent(self: *P) bool                                // optional: all its threads have stopped
///
/// An error of `handle` answers the call, if nothing else has: see `failureOf`. A panic ends the process: Zig has no way
/// to go on from one.
pub fn exportPlugin(comptime P: type, comptime options: Options) void {
    const Exported = Instance(P, options);
    @export(&Exported.getPlugin, .{ .name = "nylon_ring_get_plugin_v1" });
    @export(&Exported.attachHost, .{ .name = "nylon_ring_attach_host_v1" });
    @export(&Exported.getExtension, .{ .name = "nylon_ring_get_extension_v1" });
}

/// The one plugin of the library.
fn Instance(comptime P: type, comptime options: Options) type {
    return struct {
        var phase: std.atomic.Value(Phase) = .init(.loaded);
        /// Set by the first attach.
        var attached: std.atomic.Value(?*const abi.HostApi) = .init(null);
        /// Written by the first init, before the phase is running.
        var host: Host = undefined;
        var plugin: P = undefined;

        const vtable: abi.PluginVTable = .{ .init = init, .handle = handle, .shutdown = shutdown };
        const info: abi.PluginInfo = .{
            .name = .of(options.name),
            .version = .of(options.version),
            .plugin_ctx = null,
            .vtable = &vtable,
        };
        const health_table: abi.HealthExt = .{ .check = health };
        const quiesce_table: abi.QuiesceExt = .{ .is_quiescent = isQuiescent };

        fn getPlugin() callconv(.c) *const abi.PluginInfo {
            return &info;
        }

        fn attachHost(_: ?*anyopaque, api: ?*const abi.HostApi) callconv(.c) void {
            _ = attached.cmpxchgStrong(null, api, .acq_rel, .acquire);
        }

        fn getExtension(_: ?*anyopaque, id: ?[*:0]const u8) callconv(.c) ?*const anyopaque {
            const asked = std.mem.span(id orelse return null);
            if (@hasDecl(P, "health") and std.mem.eql(u8, asked, "nylon.health/1")) return &health_table;
            if (@hasDecl(P, "isQuiescent") and std.mem.eql(u8, asked, "nylon.quiesce/1")) return &quiesce_table;
            return null;
        }

        fn init(_: ?*anyopaque, ctx: ?*anyopaque, table: ?*const abi.HostVTable) callconv(.c) u32 {
            const checked = abi.usable(abi.HostVTable, table) orelse return abi.status_invalid;
            if (phase.cmpxchgStrong(.loaded, .starting, .acq_rel, .acquire) != null) return abi.status_invalid;
            host = .of(ctx, checked, attached.load(.acquire));
            plugin = P.init(&host) catch |e| {
                host.log(.err, options.name, "the plugin cannot start: {s}", .{@errorName(e)});
                return failureOf(e).status();
            };
            const stopped = phase.cmpxchgStrong(.starting, .running, .acq_rel, .acquire) != null;
            return if (stopped) abi.status_invalid else abi.status_ok;
        }

        fn handle(_: ?*anyopaque, sid: u64, raw: ?*const abi.Request, payload: abi.Bytes) callconv(.c) u32 {
            if (phase.load(.acquire) != .running) return abi.status_invalid;
            const request = Request.of(raw orelse return abi.status_invalid, payload) orelse return abi.status_invalid;
            var call: Call = .{ .host = &host, .sid = sid };
            defer call.deinit();
            plugin.handle(request, &call) catch |e| call.fail(failureOf(e), @errorName(e));
            return abi.status_ok;
        }

        fn shutdown(_: ?*anyopaque) callconv(.c) void {
            const was = phase.swap(.stopped, .acq_rel);
            if (@hasDecl(P, "shutdown") and was == .running) plugin.shutdown();
        }

        fn health(_: ?*anyopaque, detail: ?*abi.Str) callconv(.c) u32 {
            const out = detail orelse return abi.status_invalid;
            if (phase.load(.acquire) != .running) return abi.status_err;
            const text: []const u8 = plugin.health() orelse return abi.status_ok;
            out.* = .of(text);
            return abi.status_err;
        }

        fn isQuiescent(_: ?*anyopaque) callconv(.c) u32 {
            return @intFromBool(phase.load(.acquire) == .stopped and plugin.isQuiescent());
        }
    };
}
