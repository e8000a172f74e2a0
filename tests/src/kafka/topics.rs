//! Creates topics with a request of Kafka's protocol. kcat(1) cannot create topics, and Kafka's
//! Java tool takes seconds.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, ensure};

/// Sends a CreateTopics request, version 2 (kafka.apache.org/protocol.html), with replication
/// factor 1.
pub fn create(address: &str, name: &str, partitions: i32, settings: &[(&str, &str)]) -> Result<()> {
    let mut body = Vec::new();
    body.extend(19_i16.to_be_bytes()); // request_api_key
    body.extend(2_i16.to_be_bytes()); // request_api_version
    body.extend(1_i32.to_be_bytes()); // correlation_id
    string(&mut body, "tests")?; // client_id
    length(&mut body, 1)?; // topics
    string(&mut body, name)?;
    body.extend(partitions.to_be_bytes());
    body.extend(1_i16.to_be_bytes()); // replication_factor
    length(&mut body, 0)?; // assignments
    length(&mut body, settings.len())?;
    for (name, value) in settings {
        string(&mut body, name)?;
        string(&mut body, value)?;
    }
    body.extend(30_000_i32.to_be_bytes()); // timeout_ms
    body.push(0); // validate_only

    let mut request = Vec::new();
    length(&mut request, body.len())?;
    request.extend(body);
    let mut broker = TcpStream::connect(address)?;
    broker.write_all(&request)?;

    let mut size = [0; 4];
    broker.read_exact(&mut size)?;
    let mut answer = vec![0; usize::try_from(u32::from_be_bytes(size))?];
    broker.read_exact(&mut answer)?;
    // The answer is correlation_id, throttle_time_ms, the number of topics, the topic's name, and
    // then error_code.
    let place = 4 + 4 + 4 + 2 + name.len();
    let (error, reason) = answer
        .get(place..)
        .and_then(<[u8]>::split_first_chunk)
        .context("an answer that is too short")?;
    ensure!(
        *error == [0, 0],
        "creating topic {name}: error {}: {}",
        i16::from_be_bytes(*error),
        String::from_utf8_lossy(reason.get(2..).unwrap_or_default())
    );
    Ok(())
}

fn length(bytes: &mut Vec<u8>, length: usize) -> Result<()> {
    bytes.extend(i32::try_from(length)?.to_be_bytes());
    Ok(())
}

fn string(bytes: &mut Vec<u8>, text: &str) -> Result<()> {
    bytes.extend(i16::try_from(text.len())?.to_be_bytes());
    bytes.extend(text.as_bytes());
    Ok(())
}
