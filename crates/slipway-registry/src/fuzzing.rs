//! Entry points of `fuzz/` to parsers that are private.

use slipway_oci::{Descriptor, Digest, MediaType};

use crate::auth_file::{self, AuthFile, Source};
use crate::challenge::Challenge;
use crate::error_response::ErrorResponse;
use crate::manifest_tree::{Node, media_type_of};
use crate::token::Grant;
use crate::{Repository, docker_manifests, manifest_tree};

/// Parses the values of `WWW-Authenticate`.
pub fn challenge(values: &[&str]) {
    let _ = Challenge::choose(values.iter().copied());
}

/// Parses the body of a response of a token endpoint.
pub fn token_response(body: &[u8]) {
    let _ = Grant::parse(body);
    let response = ErrorResponse::parse(401, body);
    assert!(!response.said.contains('\n'), "{}", response.said);
}

/// Parses a manifest as a registry sent it, and translates it to Docker's formats.
pub fn manifest(bytes: &[u8]) {
    let Some(media_type) = media_type_of(bytes) else {
        return;
    };
    let descriptor = Descriptor::new(media_type, Digest::of(bytes), bytes.len() as u64);
    let Ok(node) = Node::parse(descriptor, bytes.to_vec()) else {
        return;
    };
    let tree = manifest_tree::Tree {
        blobs: node.blobs.clone(),
        nodes: vec![node],
    };
    let gzip = Descriptor::new(MediaType::LayerGzip, Digest::of(b""), 0);
    let recompressed = docker_manifests::layers_to_recompress(&tree);
    let recompressed = recompressed.map(|it| (it.digest, gzip.clone())).collect();
    let _ = docker_manifests::translate(&tree, &recompressed);
}

/// Parses a file of logins and decodes the entries for a repository. Runs no credential helper.
pub fn auth_file(file: &[u8], repository: &Repository) {
    let Ok(file) = AuthFile::parse(file) else {
        return;
    };
    for source in file.sources(repository) {
        if let Source::Entry(_, entry) = source {
            let _ = auth_file::login(entry);
        }
    }
}
