//! RTP and RTCP on the wire: borrowed views, header extensions, number spaces, reports.

pub mod id;
