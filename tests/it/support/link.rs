//! The paths between clients and workers: the same model as the relay's.

pub(crate) use courtside::linksim::model::{Link, Loss, Path};
