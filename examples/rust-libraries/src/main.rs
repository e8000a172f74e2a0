//! Keeps notes in a database in memory and signs them with their digest: what matters here is that it
//! takes OpenSSL, SQLite and PostgreSQL's libpq to do so, each of them Debian's.

use std::error::Error;

use openssl::hash::{MessageDigest, hash};
use rusqlite::Connection;

fn main() -> Result<(), Box<dyn Error>> {
    println!("OpenSSL {}", openssl::version::number() >> 28);
    println!("SQLite {}", rusqlite::version_number() / 1_000_000);
    // The one function of libpq that needs no server.
    println!("libpq {}", unsafe { pq_sys::PQlibVersion() } / 10_000);

    let notes = Connection::open_in_memory()?;
    notes.execute_batch("CREATE TABLE note (text TEXT NOT NULL, digest BLOB NOT NULL)")?;
    for text in ["a ship", "its way into the water"] {
        let digest = hash(MessageDigest::sha256(), text.as_bytes())?;
        notes.execute("INSERT INTO note VALUES (?1, ?2)", (text, &digest[..]))?;
    }
    let mut query = notes.prepare("SELECT text, hex(digest) FROM note ORDER BY text")?;
    let mut rows = query.query(())?;
    while let Some(row) = rows.next()? {
        let (text, digest): (String, String) = (row.get(0)?, row.get(1)?);
        println!("{text}: {}", &digest[..16]);
    }
    Ok(())
}
