//! `/healthz`, `/readyz`, `/metrics`: for supervisors, load balancers and Prometheus.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio::time::timeout;

use super::media::MediaPlane;
use crate::hls_fallback::Hls;
use crate::hls_fallback::dvr::Dvr;
use crate::limits::READY_CHECK_TIMEOUT;
use crate::signaling::Live;
use crate::store::Store;
use crate::telemetry::{
    HLS_DVR_BYTES, HLS_DVR_RECORDINGS, HLS_PACKAGERS, HLS_WAITING, Metrics, SIGNALING_BROADCASTS, SIGNALING_ON_AIR, SIGNALING_SESSIONS,
    SIGNALING_VIEWERS,
};

/// What readiness is made of.
#[derive(Debug, Clone)]
pub(super) struct Health {
    pub(super) store: Store,
    pub(super) metrics: Metrics,
    pub(super) media: MediaPlane,
    pub(super) live: Live,
    pub(super) hls: Option<Hls>,
    pub(super) stopping: Arc<AtomicBool>,
}

#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    stopping: bool,
    media: bool,
    store: bool,
    /// Recordings that disk or bucket refuse now; does not make the node unready, because its broadcasts go on live.
    recordings_degraded: usize,
}

pub(super) fn routes(health: Health) -> Router {
    Router::new().route("/healthz", get(async || "ok\n")).route("/readyz", get(ready)).route("/metrics", get(metrics)).with_state(health)
}

async fn ready(State(health): State<Health>) -> impl IntoResponse {
    let store = matches!(timeout(READY_CHECK_TIMEOUT, health.store.ping()).await, Ok(Ok(())));
    let (media, stopping) = (health.media.is_alive(), health.stopping.load(Ordering::Relaxed));
    let recordings_degraded = health.hls.as_ref().and_then(Hls::dvr).map_or(0, Dvr::degraded);
    let readiness = Readiness { ready: store && media && !stopping, stopping, media, store, recordings_degraded };
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(readiness))
}

async fn metrics(State(health): State<Health>) -> impl IntoResponse {
    let (broadcasts, on_air, viewers) = health.live.census();
    for (name, value) in [
        (SIGNALING_BROADCASTS, broadcasts),
        (SIGNALING_ON_AIR, on_air),
        (SIGNALING_VIEWERS, viewers),
        (SIGNALING_SESSIONS, health.live.sessions()),
    ] {
        metrics::gauge!(name).set(value as f64);
    }
    let (packagers, waiting) = health.hls.as_ref().map_or((0, 0), Hls::census);
    for (name, value) in [(HLS_PACKAGERS, packagers), (HLS_WAITING, waiting)] {
        metrics::gauge!(name).set(value as f64);
    }
    let (recordings, bytes) = health.hls.as_ref().and_then(Hls::dvr).map_or((0, 0), Dvr::census);
    metrics::gauge!(HLS_DVR_RECORDINGS).set(recordings as f64);
    metrics::gauge!(HLS_DVR_BYTES).set(bytes as f64);
    health.media.show_counters();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], health.metrics.render())
}
