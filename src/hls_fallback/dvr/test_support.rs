//! Segments by hand, and a storage that refuses what it is told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, Result,
};

use crate::hls_fallback::format::Format;
use crate::hls_fallback::segment::{Opening, Part};
use crate::hls_fallback::shelf::{Closed, Init, Segment};
use crate::sfu::codec::MediaKind;

pub(super) const START_MS: f64 = 1_795_230_000_000.0;

/// Two seconds of sound in a rendition; its bytes tell its number.
pub(super) fn closed(rendition: &str, number: u64) -> Closed {
    let data = Bytes::from(format!("{rendition} {number}"));
    let opening = Opening { msn: number, ticks: 0, media_ms: START_MS + number as f64 * 2000.0, discontinuity: false };
    let part = Part { data: data.clone(), duration_s: 2.0, independent: true, frames: 100 };
    let segment = Segment { opening, init: 1, parts: vec![part], duration_s: Some(2.0), data, is_gap: false };
    let init = Some(Init { number: 1, format: Arc::new(Format::Opus), data: Bytes::from_static(b"init") });
    Closed { rendition: rendition.into(), kind: MediaKind::Audio, segment: Arc::new(segment), init, frames_per_second: 0.0 }
}

/// In memory, and full or read-only while it is told to be.
#[derive(Debug, Default)]
pub(super) struct Moody {
    objects: InMemory,
    pub(super) is_full: AtomicBool,
    /// Nothing can be deleted.
    pub(super) is_stubborn: AtomicBool,
}

impl std::fmt::Display for Moody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("moody")
    }
}

#[async_trait]
impl ObjectStore for Moody {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        if self.is_full.load(Ordering::Relaxed) {
            return Err(Error::Generic { store: "moody", source: std::io::Error::from(std::io::ErrorKind::StorageFull).into() });
        }
        self.objects.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(&self, location: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.objects.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.objects.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        if self.is_stubborn.load(Ordering::Relaxed) {
            let refused = || Error::Generic { store: "moody", source: std::io::Error::from(std::io::ErrorKind::ReadOnlyFilesystem).into() };
            return locations.map(move |_| Err(refused())).boxed();
        }
        self.objects.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.objects.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.objects.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.objects.copy_opts(from, to, options).await
    }
}
