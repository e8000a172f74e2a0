//! Access for fuzz targets to parsers that are private.

use slipway_oci::{Descriptor, Digest, MediaType};

use crate::auth_file::{self, AuthFile, Source};
use crate::challenge::Challenge;
use crate::error_response::ErrorResponse;
use crate::manifest_tree::{Node, Tree, media_type_of};
use crate::token::Grant;
use crate::{Repository, docker_manifests};

/// Parses the values of `WWW-Authenticate`.
pub fn challenge(values: &[&str]) {
    let _ = Challenge::choose(values.iter().copied());
}

/// Parses the body of a response of a token endpoint. Returns the explanation to show.
pub fn token_response(body: &[u8]) -> String {
    let _ = Grant::parse(body);
    ErrorResponse::parse(401, body).said
}

/// Parses a manifest as a registry sends it, and translates it to Docker's formats.
pub fn manifest(bytes: &[u8]) {
    let Some(media_type) = media_type_of(bytes) else {
        return;
    };
    let descriptor = Descriptor::new(media_type, Digest::of(bytes), bytes.len() as u64);
    let Ok(node) = Node::parse(descriptor, bytes.to_vec()) else {
        return;
    };
    let tree = Tree {
        blobs: node.blobs.clone(),
        nodes: vec![node],
    };
    let gzip = Descriptor::new(MediaType::LayerGzip, Digest::of(b""), 0);
    let layers = docker_manifests::layers_to_recompress(&tree);
    let recompressed = layers.map(|it| (it.digest, gzip.clone())).collect();
    let _ = docker_manifests::translate(&tree, &recompressed);
}

/// Parses an auth file and decodes the entries for a repository. Runs no credential helper.
pub fn auth_file(file: &[u8], repository: &Repository) -> Result<(), String> {
    let file = AuthFile::parse(file)?;
    for source in file.sources(repository) {
        if let Source::Entry(_, entry) = source {
            let _ = auth_file::login(entry);
        }
    }
    Ok(())
}
