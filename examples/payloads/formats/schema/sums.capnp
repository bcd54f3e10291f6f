# The schema of `../src/generated/sums_capnp.rs`, made by capnp (any version) and capnpc-rust 0.27:
#   cargo install capnpc --version ^0.27 && capnp compile -o rust:../src/generated sums.capnp
@0xd8f1c4b6a3e29075;

struct Request {
  name @0 :Text;
  numbers @1 :List(Int64);
}

struct Answer {
  name @0 :Text;
  count @1 :UInt64;
  sum @2 :Int64;
}
