//! Recompresses layers for readers that do not support a layer's compression. The DiffID and
//! therefore the image config stay the same.

use std::fs::{self, File};
use std::io::{self, Read, Write};

use super::{Layout, LayoutWriter};
use crate::compression::{CHUNK, Compressed, Compressor, decoder};
use crate::digest::DigestReader;
use crate::{Compression, Descriptor, Digest, Error, Result};

impl LayoutWriter {
    /// Adds a layer of another layout with a new compression, and returns its descriptor.
    pub fn add_recompressed(
        &mut self,
        layout: &Layout,
        layer: &Descriptor,
        compression: Compression,
    ) -> Result<Descriptor> {
        let path = layout.blob_path(layer);
        let mut blob = DigestReader::against(&layer.digest, layout.open_blob(layer)?);
        let Some(tar) = decoder(&layer.media_type.meaning(), &mut blob) else {
            return Err(Error::WrongMediaType {
                what: format!("blob {}", layer.digest),
                found: layer.media_type.clone(),
                wanted: "layer",
            });
        };
        let made = self.staging.path().join("recompressed");
        let file = File::create(&made).map_err(Error::io("write", &made))?;
        let (digest, size) = tar
            .and_then(|tar| compress(tar, compression, file))
            .map_err(Error::io("read", &path))?;
        // The blob may continue after the end of the compressed stream.
        io::copy(&mut blob, &mut io::sink()).map_err(Error::io("read", &path))?;
        let (_, found, read) = blob.finish();
        layer.check(found, read)?;
        let blob = self.place(&digest)?;
        fs::rename(&made, &blob).map_err(Error::io("write", &blob))?;
        self.present.insert(digest);
        Ok(Descriptor::new(compression.media_type(), digest, size))
    }
}

/// Compresses in the same chunks as when packing a layer: see `pipeline`.
fn compress(mut tar: impl Read, compression: Compression, to: File) -> io::Result<(Digest, u64)> {
    let mut out = DigestReader::new(to);
    let mut frame = compression.frame();
    let mut compressor = Compressor::new(compression);
    out.write_all(frame.start())?;
    let mut chunk = Vec::new();
    loop {
        chunk.clear();
        tar.by_ref().take(CHUNK as u64).read_to_end(&mut chunk)?;
        if chunk.is_empty() {
            break;
        }
        let mut bytes = Vec::new();
        let crc = compressor.compress(&chunk, &mut bytes)?;
        let compressed = Compressed { bytes, crc };
        frame.add(&compressed);
        out.write_all(&compressed.bytes)?;
    }
    out.write_all(&frame.end())?;
    let (_, digest, size) = out.finish();
    Ok((digest, size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compression::Method;
    use crate::{LayerSource, MediaType};

    #[test]
    fn recompressing_gives_the_same_blob_as_packing() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root");
        fs::create_dir(&root).unwrap();
        // Larger than one chunk.
        fs::write(root.join("content"), vec![7; CHUNK + 1000]).unwrap();
        let [zstd, gzip] = [Method::Zstd, Method::Gzip].map(|it| Compression::new(it, Some(1)));
        let mut writer = LayoutWriter::create(&directory.path().join("layout")).unwrap();
        let mut pack = |compression: Result<Compression>| {
            let sources = vec![LayerSource::Root(root.clone())];
            let layers = writer.pack(sources, compression.unwrap()).unwrap();
            layers[0].descriptor()
        };
        let (layer, wanted) = (pack(zstd), pack(gzip));
        let layout = writer.finish_named(Vec::new()).unwrap();

        let mut writer = LayoutWriter::create(&directory.path().join("other")).unwrap();
        let gzip = Compression::new(Method::Gzip, Some(1)).unwrap();
        let made = writer.add_recompressed(&layout, &layer, gzip).unwrap();
        assert_eq!(made, wanted);

        let unknown = MediaType::from("application/x".to_owned());
        let unknown = Descriptor::new(unknown, layer.digest, layer.size);
        assert!(writer.add_recompressed(&layout, &unknown, gzip).is_err());
        let altered = layout.blob_path(&layer);
        let mut bytes = fs::read(&altered).unwrap();
        bytes.push(0);
        fs::write(&altered, bytes).unwrap();
        assert!(writer.add_recompressed(&layout, &layer, gzip).is_err());
    }
}
