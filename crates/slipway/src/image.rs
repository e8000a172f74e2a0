//! Images: where they come from, what they contain, and where they are sent.

pub mod container_engine;
pub mod dev_container;
pub mod entrypoint_detection;
pub mod export;
pub mod go_build;
pub mod image_source;
pub mod image_summary;
pub mod image_table;
pub mod layer_cache;
pub mod layer_contents;
pub mod layer_provenance;
pub mod load;
pub mod manifest_images;
pub mod metadata_file;
pub mod output;
