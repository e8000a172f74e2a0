//! Debian's `Release` and `InRelease`.

use slipway_debian::fuzzing;
use slipway_debian::release::Release;

pub fn run(bytes: &[u8]) {
    if let Ok((text, signature)) = fuzzing::split_clear_signed(bytes) {
        assert!(signature.starts_with("-----BEGIN PGP SIGNATURE-----\n"));
        let _ = Release::parse(&text);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Release::parse(text);
    }
}
