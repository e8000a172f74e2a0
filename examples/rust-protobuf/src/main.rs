//! A message in protocol buffers' encoding, by code that protoc and prost made of report.proto.

use prost::Message;
use prost_types::Timestamp;

include!(concat!(env!("OUT_DIR"), "/report.rs"));

fn main() {
    let report = Report {
        time: Some(Timestamp {
            seconds: 1_000_000_000,
            nanos: 0,
        }),
        process: 1,
        user: 65532,
    };
    for byte in report.encode_to_vec() {
        print!("{byte:02x}");
    }
    println!();
}
