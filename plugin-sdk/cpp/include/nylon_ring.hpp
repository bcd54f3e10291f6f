/*
 * nylon_ring.hpp: nylon-ring plugins in C++17, on top of the C header nylon_ring.h.
 *
 *     #include <nylon_ring.hpp>
 *
 *     struct Greeter {
 *       void handle(const nylon_ring::Request &request, nylon_ring::Call call) {
 *         call.reply("hello from " + std::string(request.path()));
 *       }
 *     };
 *
 *     NYLON_RING_PLUGIN(Greeter, "greeter", "0.1.0")
 *
 * What it sees to:
 *
 *   - Every call is answered, exactly once. A Call or StreamSender that is destroyed unanswered answers NR_STATUS_ERR; a
 *     second answer is not sent.
 *   - No exception leaves the plugin. One that leaves handle answers the call with NR_STATUS_ERR, by the destructor of
 *     the Call, and is logged through the host.
 *   - Requests are checked before handle sees them: a null pointer with a length, or text that is not UTF-8, is refused.
 *   - init, handle and shutdown out of order are refused.
 *   - One library has several instances (nylon.instance/1): an object of the plugin's type for each.
 *
 * It needs the standard library and nylon_ring.h, exceptions, and no RTTI. Compile plugins with -fvisibility=hidden
 * and, by g++, with -fno-gnu-unique: g++ makes the statics of templates and inline functions unique in the process,
 * those of the standard library too. Copies of a library would share them, and none of them is ever unmapped.
 */
#ifndef NYLON_RING_HPP
#define NYLON_RING_HPP

#include "nylon_ring/call.hpp"
#include "nylon_ring/host.hpp"
#include "nylon_ring/plugin.hpp"
#include "nylon_ring/request.hpp"

#endif /* NYLON_RING_HPP */
