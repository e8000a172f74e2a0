//! Access for fuzz targets to parsers that are private.

use crate::signature;

/// Splits a clear-signed message into its text and its signature.
pub fn split_clear_signed(message: &[u8]) -> Result<(String, String), &'static str> {
    signature::split(message)
}
