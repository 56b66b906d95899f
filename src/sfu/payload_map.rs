//! What one viewer calls the codec it is sent: payload types are agreed with each client by itself.

use crate::sfu::codec::Codec;
use crate::sfu::negotiate::NegotiatedCodec;
use crate::sfu::rtp::id::Pt;

/// Payload types for one codec, in one viewer's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PayloadTypes {
    /// `None`: this viewer does not decode it.
    pub media: Option<Pt>,
    /// Retransmissions (RFC 4588).
    pub rtx: Option<Pt>,
    /// Sound with earlier frames (RFC 2198).
    pub red: Option<Pt>,
}

#[derive(Debug)]
pub struct PayloadMap {
    codecs: Vec<NegotiatedCodec>,
    source: Option<(Codec, PayloadTypes)>,
}

impl PayloadMap {
    pub fn new(codecs: Vec<NegotiatedCodec>) -> Self {
        Self { codecs, source: None }
    }

    /// The source has gone; the next one may have another codec.
    pub fn forget_source(&mut self) {
        self.source = None;
    }

    /// The source is of this codec. Returns whether that is news.
    pub fn follow(&mut self, codec: Codec) -> bool {
        if self.source.is_some_and(|(present, _)| present == codec) {
            return false;
        }
        let agreed = self.codecs.iter().find(|agreed| agreed.codec == codec);
        let types = agreed.map(|agreed| PayloadTypes { media: Some(agreed.pt), rtx: agreed.rtx_pt, red: agreed.red_pt });
        self.source = Some((codec, types.unwrap_or_default()));
        true
    }

    /// For the codec of the source; none while there is no source.
    pub fn types(&self) -> PayloadTypes {
        self.source.map_or_else(PayloadTypes::default, |(_, types)| types)
    }

    /// Nothing says that the source cannot be decoded.
    pub fn can_decode(&self) -> bool {
        self.source.is_none_or(|(_, types)| types.media.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sfu::negotiate::NegotiatedProfile;

    #[test]
    fn each_codec_has_the_names_that_were_agreed_and_an_unknown_one_none() {
        let agreed = |codec, pt, rtx| NegotiatedCodec {
            codec,
            pt: Pt(pt),
            rtx_pt: Some(Pt(rtx)),
            red_pt: None,
            profile: NegotiatedProfile::Unspecified,
        };
        let mut map = PayloadMap::new(vec![agreed(Codec::Vp8, 96, 97), agreed(Codec::Vp9, 98, 99)]);
        assert!(map.can_decode() && map.types().media.is_none(), "nothing is known of the source yet");
        assert!(map.follow(Codec::Vp9));
        assert!(!map.follow(Codec::Vp9), "no news");
        assert_eq!((map.types().media, map.types().rtx), (Some(Pt(98)), Some(Pt(99))));
        assert!(map.follow(Codec::Av1) && !map.can_decode());
        assert_eq!(map.types(), PayloadTypes::default());
        map.forget_source();
        assert!(map.can_decode());
    }
}
