//! Where the bytes of recordings are: a folder, or a bucket. `object_store` behind names of ours, with a time limit on every answer and each piece of it.
//!
//! A file that was put is on disk (`fsync` of the file, then of its folder) or with the bucket when [`Storage::put`] returns, and is never
//! seen in part.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutPayload};
use tokio::time::timeout;

use super::s3;
use crate::ids::BroadcastId;
use crate::limits::DVR_STORE_TIMEOUT;

/// Why bytes could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error("there is no such file")]
    NotFound,
    #[error("no answer for {} s", DVR_STORE_TIMEOUT.as_secs())]
    Late,
    #[error("{0}")]
    Store(object_store::Error),
    #[error("the folder {} cannot be used: {source}", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("{0} is not s3://BUCKET or s3://BUCKET/PREFIX")]
    Url(String),
    #[error("certificates of this host cannot be read: {0}")]
    Tls(String),
}

impl From<object_store::Error> for StorageError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::NotFound,
            other => Self::Store(other),
        }
    }
}

/// Where recordings are kept. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Storage {
    objects: Arc<dyn ObjectStore>,
    prefix: Path,
    /// Of a folder.
    root: Option<PathBuf>,
}

impl Storage {
    /// In a folder, which is made.
    ///
    /// # Errors
    /// `Folder`, `Store`.
    pub fn folder(path: &FilePath) -> Result<Self, StorageError> {
        std::fs::create_dir_all(path).map_err(|source| StorageError::Folder { path: path.to_owned(), source })?;
        let objects = LocalFileSystem::new_with_prefix(path)?.with_fsync(true).with_automatic_cleanup(true);
        Ok(Self { objects: Arc::new(objects), prefix: Path::default(), root: Some(path.to_owned()) })
    }

    /// In a bucket: `s3://BUCKET/PREFIX`. Credentials, region and endpoint are those of the usual `AWS_*` variables.
    ///
    /// # Errors
    /// `Url`, `Store`, `Tls`.
    pub fn bucket(url: &str) -> Result<Self, StorageError> {
        let bad = || StorageError::Url(url.to_owned());
        let rest = url.strip_prefix("s3://").ok_or_else(bad)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(bad());
        }
        let prefix = Path::parse(prefix.trim_end_matches('/')).map_err(|_| bad())?;
        Ok(Self { objects: s3::connect(bucket)?, prefix, root: None })
    }

    #[cfg(test)]
    pub(super) fn over(objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects, prefix: Path::default(), root: None }
    }

    fn at(&self, broadcast: BroadcastId, folder: &str, file: &str) -> Path {
        self.prefix.clone().join(broadcast.to_string()).join(folder).join(file)
    }

    /// Writes a file.
    ///
    /// # Errors
    /// `Late`, `Store`.
    pub async fn put(&self, broadcast: BroadcastId, folder: &str, file: &str, data: Bytes) -> Result<(), StorageError> {
        let at = self.at(broadcast, folder, file);
        in_time(self.objects.put(&at, PutPayload::from_bytes(data))).await?;
        Ok(())
    }

    /// Reads bytes `first..end` of a file, as they come.
    ///
    /// # Errors
    /// `NotFound`, `Late`, `Store`.
    pub async fn get(
        &self,
        broadcast: BroadcastId,
        folder: &str,
        file: &str,
        range: std::ops::Range<u64>,
    ) -> Result<BoxStream<'static, object_store::Result<Bytes>>, StorageError> {
        let at = self.at(broadcast, folder, file);
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let pieces = in_time(self.objects.get_opts(&at, options)).await?.into_stream();
        Ok(stream::try_unfold(pieces, async |mut pieces| {
            Ok(next_within(DVR_STORE_TIMEOUT, &mut pieces).await?.map(|piece| (piece, pieces)))
        })
        .boxed())
    }

    /// Removes a file. One that is not there is no error.
    ///
    /// # Errors
    /// `Late`, `Store`.
    pub async fn delete(&self, broadcast: BroadcastId, folder: &str, file: &str) -> Result<(), StorageError> {
        let at = self.at(broadcast, folder, file);
        match in_time(self.objects.delete(&at)).await {
            Ok(()) | Err(StorageError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Every file of a recording, as folder and name.
    ///
    /// # Errors
    /// `Late`, `Store`.
    pub async fn list(&self, broadcast: BroadcastId) -> Result<Vec<(String, String)>, StorageError> {
        let below = self.prefix.clone().join(broadcast.to_string());
        let mut found = Vec::new();
        let mut objects = self.objects.list(Some(&below));
        while let Some(object) = in_time(objects.try_next()).await? {
            let mut parts = object.location.parts().map(|part| part.as_ref().to_owned()).rev().take(2);
            if let (Some(file), Some(folder)) = (parts.next(), parts.next()) {
                found.push((folder, file));
            }
        }
        Ok(found)
    }

    /// What a crash left of files that were being written, which listings leave out. Blocking.
    pub fn sweep(&self, broadcast: BroadcastId) {
        let Some(root) = &self.root else { return };
        let Ok(folders) = std::fs::read_dir(root.join(broadcast.to_string())) else { return };
        let files = folders.flatten().filter_map(|folder| std::fs::read_dir(folder.path()).ok()).flatten().flatten();
        for file in files.filter(|file| file.file_name().to_string_lossy().contains('#')) {
            if let Err(error) = std::fs::remove_file(file.path()) {
                tracing::warn!(%broadcast, file = %file.path().display(), %error, "an unfinished file could not be removed");
            }
        }
    }
}

async fn in_time<T>(answer: impl Future<Output = object_store::Result<T>>) -> Result<T, StorageError> {
    timeout(DVR_STORE_TIMEOUT, answer).await.map_err(|_| StorageError::Late)?.map_err(StorageError::from)
}

/// What takes too long is told as the storage's own errors are.
async fn next_within(
    patience: Duration,
    pieces: &mut BoxStream<'static, object_store::Result<Bytes>>,
) -> object_store::Result<Option<Bytes>> {
    let late = |_| object_store::Error::Generic { store: "recordings", source: StorageError::Late.into() };
    timeout(patience, pieces.try_next()).await.map_err(late)?
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOW: BroadcastId = BroadcastId::from_bits(5);

    #[tokio::test]
    async fn a_folder_keeps_lists_and_forgets() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let storage = Storage::folder(dir.path()).expect("the folder can be used");
        for (folder, file) in [("v0", "s1.m4s"), ("v0", "s2.m4s"), ("aac", "s1.m4s")] {
            storage.put(SHOW, folder, file, Bytes::from_static(b"0123456789")).await.expect("the storage works");
        }
        let read: Vec<Bytes> =
            storage.get(SHOW, "v0", "s2.m4s", 2..5).await.expect("the storage works").try_collect().await.expect("the storage works");
        assert_eq!(read.concat(), b"234");
        assert_eq!(storage.list(SHOW).await.expect("the storage works").len(), 3);
        for _ in 0..2 {
            storage.delete(SHOW, "v0", "s2.m4s").await.expect("the storage works");
        }
        assert!(matches!(storage.get(SHOW, "v0", "s2.m4s", 0..1).await.err(), Some(StorageError::NotFound)));
        std::fs::write(dir.path().join(SHOW.to_string()).join("v0/s3.m4s#1"), b"half").expect("the test's own file");
        storage.sweep(SHOW);
        for (folder, file) in storage.list(SHOW).await.expect("the storage works") {
            storage.delete(SHOW, &folder, &file).await.expect("the storage works");
        }
        assert!(std::fs::read_dir(dir.path()).expect("the test's own file").next().is_none(), "nothing is left behind");
    }

    #[tokio::test]
    async fn a_disk_that_hangs_in_the_middle_of_a_file_is_waited_for_so_long_and_no_longer() {
        let mut hanging = stream::iter([Ok(Bytes::from_static(b"half"))]).chain(stream::pending()).boxed();
        let first = next_within(DVR_STORE_TIMEOUT, &mut hanging).await;
        assert_eq!(first.expect("it is there"), Some(Bytes::from_static(b"half")));
        let next = timeout(DVR_STORE_TIMEOUT, next_within(Duration::from_millis(10), &mut hanging)).await;
        assert!(next.expect("it has a limit of its own").is_err());
    }

    #[test]
    fn a_bucket_is_named_by_a_url() {
        for bad in ["", "bucket", "s3://", "http://bucket/x", "s3://bucket/a//b"] {
            assert!(matches!(Storage::bucket(bad), Err(StorageError::Url(_))), "{bad}");
        }
    }
}
