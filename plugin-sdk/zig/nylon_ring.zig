//! nylon-ring plugins in Zig.
//!
//!     const nr = @import("nylon_ring");
//!
//!     const Greeter = struct {
//!         pub fn init(_: *const nr.Host) !Greeter {
//!             return .{};
//!         }
//!
//!         pub fn handle(_: *Greeter, request: nr.Request, call: *nr.Call) !void {
//!             if (!std.mem.eql(u8, request.path, "/hello")) return error.Unsupported;
//!             call.reply("hello");
//!         }
//!     };
//!
//!     comptime {
//!         nr.exportPlugin(Greeter, .{ .name = "greeter", .version = "0.1.0" });
//!     }
//!
//! `README.md` beside this file is the guide.

pub const abi = @import("abi.zig");

const plugin = @import("plugin.zig");
pub const exportPlugin = plugin.exportPlugin;
pub const Options = plugin.Options;

const host = @import("host.zig");
pub const Host = host.Host;
pub const Level = host.Level;

const request = @import("request.zig");
pub const Request = request.Request;
pub const OwnedRequest = request.OwnedRequest;
pub const Header = request.Header;

const call = @import("call.zig");
pub const Call = call.Call;
pub const Failure = call.Failure;
pub const Event = call.Event;
pub const Watch = call.Watch;
pub const failureOf = call.failureOf;

pub const StreamSender = @import("stream.zig").StreamSender;
