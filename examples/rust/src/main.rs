//! Prints the SHA-256 of what it reads, as `sha256sum` does.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

fn main() -> io::Result<()> {
    let mut contents = Vec::new();
    io::stdin().read_to_end(&mut contents)?;
    let digest: String = Sha256::digest(&contents)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    println!("{digest}  -");
    Ok(())
}
