//! The dependency descriptor header extension (AV1 RTP payload specification 1.0, appendix A): frame borders and layers of a packet.
//!
//! Stateful per stream: templates come with key frames only, later packets refer to them by number. Chains and frame differences are
//! read over, not kept: layers and switch indications say all that forwarding by layer needs.

use super::bits::BitReader;
use super::payload::{SPATIAL_MAX, SwitchSet, TEMPORAL_MAX};

/// Templates one structure may have: their numbers have six bits.
const TEMPLATES_MAX: usize = 64;
/// Decode targets one structure may have: their number has five bits.
const TARGETS_MAX: usize = 32;

/// What the descriptor of one packet says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DependencyInfo {
    pub start_of_frame: bool,
    pub end_of_frame: bool,
    pub frame_number: u16,
    pub spatial: u8,
    pub temporal: u8,
    /// No decode target needs the frame for a later one.
    pub discardable: bool,
    /// Some decode target can be switched to here.
    pub switching_point: bool,
    /// Carries the template structure: the frame is a key frame.
    pub has_structure: bool,
    /// The decode targets that whoever gets this frame may switch to, by the layers they have.
    pub switches_to: SwitchSet,
    /// Render resolutions by spatial layer, with the structure only; 0 by 0: not told.
    pub sizes: [(u16, u16); SPATIAL_MAX],
    /// Decode targets that the sender still sends, one bit each.
    pub active_decode_targets: Option<u32>,
}

impl DependencyInfo {
    /// Render resolution of the highest spatial layer.
    pub fn resolution(&self) -> Option<(u16, u16)> {
        self.sizes.iter().rfind(|size| **size != (0, 0)).copied()
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Template {
    spatial: u8,
    temporal: u8,
    indications: Indications,
}

/// Summary of the decode target indications of a frame (section A.8.3.3).
#[derive(Debug, Clone, Copy, Default)]
struct Indications {
    needed: bool,
    /// Decode targets by number.
    switches: u32,
    present: u32,
}

#[derive(Debug, Clone)]
struct Structure {
    id_offset: u8,
    decode_targets: u32,
    templates: [Template; TEMPLATES_MAX],
    count: usize,
    sizes: [(u16, u16); SPATIAL_MAX],
    /// The layers of each decode target: the highest spatial, the highest temporal.
    targets: [(u8, u8); TARGETS_MAX],
}

/// Reads the descriptors of one stream in order.
#[derive(Debug, Clone, Default)]
pub struct DependencyReader {
    structure: Option<Structure>,
}

impl DependencyReader {
    /// No structure seen yet.
    pub const fn new() -> Self {
        Self { structure: None }
    }

    /// Reads one descriptor. `None` when it is malformed or refers to a structure not received; it then changes nothing.
    pub fn read(&mut self, descriptor: &[u8]) -> Option<DependencyInfo> {
        let mut bits = BitReader::new(descriptor);
        let mut info = DependencyInfo { start_of_frame: bits.bit()?, end_of_frame: bits.bit()?, ..DependencyInfo::default() };
        let template_id = bits.bits(6)? as u8;
        info.frame_number = bits.bits(16)? as u16;
        let mut received = None;
        let mut has_custom_indications = false;
        if descriptor.len() > 3 {
            info.has_structure = bits.bit()?;
            let has_active_targets = bits.bit()?;
            has_custom_indications = bits.bit()?;
            bits.skip(2)?;
            if info.has_structure {
                let structure = Structure::read(&mut bits)?;
                info.sizes = structure.sizes;
                info.active_decode_targets = Some(all_targets(structure.decode_targets));
                received = Some(structure);
            }
            if has_active_targets {
                let targets = received.as_ref().or(self.structure.as_ref())?.decode_targets;
                info.active_decode_targets = Some(bits.bits(targets)?);
            }
        }
        let structure = received.as_ref().or(self.structure.as_ref())?;
        let at = usize::from((template_id + 64 - structure.id_offset) % 64);
        let template = structure.templates[..structure.count].get(at)?;
        let mut indications = template.indications;
        if has_custom_indications {
            indications = Indications::read(&mut bits, structure.decode_targets)?;
        }
        info.spatial = template.spatial;
        info.temporal = template.temporal;
        info.discardable = !indications.needed;
        info.switching_point = indications.switches != 0;
        info.switches_to = structure.switch_set(indications);
        if received.is_some() {
            self.structure = received;
        }
        Some(info)
    }
}

const fn all_targets(count: u32) -> u32 {
    u32::MAX >> (32 - count)
}

impl Indications {
    fn read(bits: &mut BitReader<'_>, decode_targets: u32) -> Option<Self> {
        let mut summary = Self::default();
        for target in 0..decode_targets {
            // 0 not present, 1 discardable, 2 switch, 3 required.
            let indication = bits.bits(2)?;
            summary.needed |= indication >= 2;
            summary.switches |= u32::from(indication == 2) << target;
            summary.present |= u32::from(indication != 0) << target;
        }
        Some(summary)
    }
}

impl Structure {
    /// `template_dependency_structure()` of section A.8.2.
    fn read(bits: &mut BitReader<'_>) -> Option<Self> {
        let id_offset = bits.bits(6)? as u8;
        let decode_targets = bits.bits(5)? + 1;
        let mut structure = Self {
            id_offset,
            decode_targets,
            templates: [Template::default(); TEMPLATES_MAX],
            count: 0,
            sizes: [(0, 0); SPATIAL_MAX],
            targets: [(0, 0); TARGETS_MAX],
        };
        let (mut spatial, mut temporal) = (0u8, 0u8);
        loop {
            *structure.templates.get_mut(structure.count)? = Template { spatial, temporal, indications: Indications::default() };
            structure.count += 1;
            match bits.bits(2)? {
                0 => {}
                1 => temporal += 1,
                2 => {
                    temporal = 0;
                    spatial += 1;
                }
                _no_more => break,
            }
        }
        for template in &mut structure.templates[..structure.count] {
            template.indications = Indications::read(bits, decode_targets)?;
            for (number, target) in structure.targets.iter_mut().enumerate() {
                if template.indications.present >> number & 1 == 1 {
                    *target = (target.0.max(template.spatial), target.1.max(template.temporal));
                }
            }
        }
        for _ in 0..structure.count {
            while bits.bit()? {
                bits.skip(4)?;
            }
        }
        let chains = bits.non_symmetric(decode_targets + 1)?;
        if chains > 0 {
            for _ in 0..decode_targets {
                bits.non_symmetric(chains)?;
            }
            bits.skip(4 * chains * structure.count as u32)?;
        }
        if bits.bit()? {
            for layer in 0..=usize::from(spatial) {
                let (width, height) = (bits.bits(16)? + 1, bits.bits(16)? + 1);
                let size = u16::try_from(width).ok().zip(u16::try_from(height).ok());
                structure.sizes[layer.min(SPATIAL_MAX - 1)] = size.unwrap_or_default();
            }
        }
        Some(structure)
    }

    /// Pairs of layers beyond those of any decode target stand for the largest.
    fn switch_set(&self, indications: Indications) -> SwitchSet {
        let targets = &self.targets[..self.decode_targets as usize];
        let top_spatial = targets.iter().map(|target| target.0).max().unwrap_or(0);
        let top_temporal = targets.iter().map(|target| target.1).max().unwrap_or(0);
        let mut set = SwitchSet::NONE;
        for (_, &(spatial, temporal)) in targets.iter().enumerate().filter(|(number, _)| indications.switches >> number & 1 == 1) {
            let last_spatial = if spatial == top_spatial { spatial.max(SPATIAL_MAX as u8 - 1) } else { spatial };
            let last_temporal = if temporal == top_temporal { temporal.max(TEMPORAL_MAX as u8 - 1) } else { temporal };
            for s in spatial..=last_spatial {
                set = (temporal..=last_temporal).fold(set, |set, t| set.with(s, t));
            }
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes fields of given widths, padded to whole bytes.
    fn packed(fields: &[(u32, u32)]) -> Vec<u8> {
        let bits: Vec<bool> = fields.iter().flat_map(|&(value, width)| (0..width).rev().map(move |bit| value >> bit & 1 == 1)).collect();
        bits.chunks(8).map(|chunk| chunk.iter().enumerate().fold(0, |byte, (at, bit)| byte | u8::from(*bit) << (7 - at))).collect()
    }

    /// L2T2 with three decode targets, one chain, both resolutions; template ids start at 60 and wrap.
    fn key_descriptor(template_id: u32) -> Vec<u8> {
        let mut fields = vec![(1, 1), (1, 1), (template_id, 6), (0x1234, 16), (1, 1), (0, 1), (0, 1), (0, 1), (0, 1)];
        fields.extend([(60, 6), (2, 5)]);
        // Layers: S0T0, S0T0, S0T1, S1T0, S1T1.
        fields.extend([(0, 2), (1, 2), (2, 2), (1, 2), (3, 2)]);
        for indications in [[2, 2, 2], [3, 3, 3], [0, 1, 1], [0, 0, 3], [0, 0, 1]] {
            fields.extend(indications.map(|indication| (indication, 2)));
        }
        for differences in [0, 1, 1, 2, 1] {
            for _ in 0..differences {
                fields.extend([(1, 1), (3, 4)]);
            }
            fields.push((0, 1));
        }
        // ns(4) = 1 in two bits; ns(1) has none; five templates, one chain.
        fields.push((1, 2));
        fields.extend([(7, 4); 5]);
        fields.extend([(1, 1), (319, 16), (179, 16), (639, 16), (359, 16)]);
        packed(&fields)
    }

    #[test]
    fn reads_the_structure_and_then_frames_by_template() {
        let mut reader = DependencyReader::new();
        assert_eq!(reader.read(&packed(&[(1, 1), (1, 1), (60, 6), (1, 16)])), None, "no structure yet");
        let key = reader.read(&key_descriptor(60)).expect("valid");
        assert!(key.has_structure && key.start_of_frame && key.end_of_frame && key.switching_point && !key.discardable);
        assert_eq!((key.spatial, key.temporal, key.frame_number), (0, 0, 0x1234));
        assert_eq!((key.resolution(), key.active_decode_targets), (Some((640, 360)), Some(0b111)));
        assert_eq!(key.sizes[..2], [(320, 180), (640, 360)]);
        // Targets are S0 at half the frames, S0, and everything.
        assert!([(0, 0), (0, 1), (1, 1), (u8::MAX, u8::MAX)].into_iter().all(|(s, t)| key.switches_to.contains(s, t)));
        assert!(!key.switches_to.contains(1, 0), "no target has these");

        let rows = [(61, 0, 0, false), (62, 0, 1, true), (63, 1, 0, false), (0, 1, 1, true)];
        for (template_id, spatial, temporal, discardable) in rows {
            let frame = reader.read(&packed(&[(1, 1), (0, 1), (template_id, 6), (7, 16)])).expect("known template");
            assert_eq!((frame.spatial, frame.temporal, frame.discardable), (spatial, temporal, discardable), "{template_id}");
            assert!(!frame.has_structure && !frame.end_of_frame);
        }
        assert_eq!(reader.read(&packed(&[(1, 1), (0, 1), (5, 6), (7, 16)])), None, "unknown template");
    }

    #[test]
    fn reads_active_targets_and_custom_indications() {
        let mut reader = DependencyReader::new();
        reader.read(&key_descriptor(60)).expect("valid");
        let frame = [(1, 1), (1, 1), (62, 6), (8, 16), (0, 1), (1, 1), (1, 1), (0, 2), (0b011, 3), (0, 2), (2, 2), (3, 2)];
        let frame = reader.read(&packed(&frame)).expect("valid");
        assert_eq!((frame.active_decode_targets, frame.discardable, frame.switching_point), (Some(0b011), false, true));
    }

    #[test]
    fn a_cut_off_structure_changes_nothing() {
        let mut reader = DependencyReader::new();
        let key = key_descriptor(60);
        for len in 0..key.len() - 1 {
            assert_eq!(reader.read(&key[..len]), None, "{len}");
        }
    }
}
