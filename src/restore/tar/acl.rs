//! POSIX ACLs as attributes hold them, and as text.
//!
//! An attribute is version 2 in four bytes, then entries of tag 2, permissions 2, id 4,
//! little-endian.

/// The attribute of an access ACL.
pub(super) const ACCESS: &[u8] = b"system.posix_acl_access";
/// The attribute of a folder's default ACL.
pub(super) const DEFAULT: &[u8] = b"system.posix_acl_default";

/// `user::rw-,user:1234:r--,…`; `None` if it is no ACL.
pub(super) fn text(value: &[u8]) -> Option<String> {
    let entries = value.strip_prefix(&[2, 0, 0, 0])?;
    let (entries, rest) = entries.as_chunks::<8>();
    if !rest.is_empty() {
        return None;
    }
    let mut parts = Vec::with_capacity(entries.len());
    for [tag, tag_high, bits, _, id @ ..] in entries {
        let id = u32::from_le_bytes(*id);
        let who = match u16::from_le_bytes([*tag, *tag_high]) {
            0x01 => "user:".to_owned(),
            0x02 => format!("user:{id}"),
            0x04 => "group:".to_owned(),
            0x08 => format!("group:{id}"),
            0x10 => "mask:".to_owned(),
            0x20 => "other:".to_owned(),
            _ => return None,
        };
        let bit = |mask, letter| if bits & mask == 0 { '-' } else { letter };
        parts.push(format!("{who}:{}{}{}", bit(4, 'r'), bit(2, 'w'), bit(1, 'x')));
    }
    Some(parts.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acl_reads_as_setfacl_writes_it() {
        let entry = |tag: u16, bits: u16, id: u32| {
            [&tag.to_le_bytes()[..], &bits.to_le_bytes(), &id.to_le_bytes()].concat()
        };
        let value = [
            vec![2, 0, 0, 0],
            entry(1, 6, u32::MAX),
            entry(2, 7, 1234),
            entry(4, 4, u32::MAX),
            entry(8, 4, 4321),
            entry(0x10, 4, u32::MAX),
            entry(0x20, 0, u32::MAX),
        ]
        .concat();
        let expected = "user::rw-,user:1234:rwx,group::r--,group:4321:r--,mask::r--,other::---";
        assert_eq!(text(&value).as_deref(), Some(expected));
        assert_eq!(text(&value[..value.len() - 1]), None);
        assert_eq!(text(b"\x01\0\0\0"), None);
    }
}
