"""Wireshark's view of our packet, derived from its definition: a dissector in Lua.

    python -m era1_raw_network.dissector > era1_raw_network/era1.lua
    tshark -X lua_script:era1_raw_network/era1.lua -r capture.pcapng

The committed `era1.lua` is this output; a test holds the two equal. It answers to IP protocol 253,
and in the portable form to a UDP port that one names: `-d udp.port==7001,era1`.
"""

from era1_raw_network.packet import FLAGS, KINDS, PROTOCOL, field_bits

OPENING = """\
-- Wireshark dissector of era 1's packet. Derived from packet.py by dissector.py: do not edit.
local era1 = Proto("era1", "Seven Eras: reliability by hand")
"""
CLOSING = """\
function era1.dissector(buffer, info, tree)
  if buffer:len() < HEADER_BYTES then return 0 end
  local kind = KINDS[buffer(0, 1):bitfield(4, 4)] or "?"
  info.cols.protocol = "era1"
  local seq, ack = buffer(SEQ_AT, 4):uint(), buffer(ACK_AT, 4):uint()
  info.cols.info = kind .. " seq=" .. seq .. " ack=" .. ack
  local branch = tree:add(era1, buffer(), "era1 " .. kind)
  for _, field in ipairs(HEADER) do branch:add(field[1], buffer(field[2], field[3])) end
  if buffer:len() > HEADER_BYTES then branch:add(payload, buffer(HEADER_BYTES)) end
  return buffer:len()
end

DissectorTable.get("ip.proto"):add(PROTOCOL, era1)
DissectorTable.get("udp.port"):add_for_decode_as(era1)
"""


def lua() -> str:
    """The dissector's source."""
    declared, header, names, first_byte = [], [], [], {}
    bit = 0
    for name, width in field_bits():
        unit = max(8, width)  # Lua cuts bytes; what is smaller is cut from them by a mask
        first_byte[name] = bit // unit * unit // 8
        names.append(f"f_{name}")
        declared.append(f"local f_{name} = {_field(name, width, bit)}")
        header.append(f"  {{ f_{name}, {first_byte[name]}, {unit // 8} }},")
        bit += width
    for place, flag in enumerate(FLAGS):
        name = f"f_flag_{flag.lower()}"
        names.append(name)
        declared.append(f'local {name} = ProtoField.bool("era1.flags.{flag.lower()}", "{flag}", 8,')
        declared.append(f"  nil, {1 << place})")
        header.append(f"  {{ {name}, {first_byte['flags']}, 1 }},")
    kinds = ", ".join(f'[{number}] = "{name}"' for number, name in KINDS.items())
    return "\n".join(
        [
            OPENING,
            f"local PROTOCOL, HEADER_BYTES = {PROTOCOL}, {bit // 8}",
            f"local SEQ_AT, ACK_AT = {first_byte['seq']}, {first_byte['ack']}",
            f"local KINDS = {{ {kinds} }}",
            "",
            *declared,
            'local payload = ProtoField.bytes("era1.payload", "payload")',
            f"era1.fields = {{ {', '.join(names)}, payload }}",
            "",
            "local HEADER = { -- field, its first byte, how many",
            *header,
            "}",
            "",
            CLOSING,
        ]
    )


def _field(name: str, width: int, bit: int) -> str:
    """The declaration of a field of `width` bits that begins at `bit` of the header."""
    base = "base.HEX" if name == "checksum" else "base.DEC"
    if width >= 8:
        return f'ProtoField.uint{width}("era1.{name}", "{name}", {base})'
    values = "KINDS" if name == "kind" else "nil"
    mask = ((1 << width) - 1) << (8 - width - bit % 8)
    return f'ProtoField.uint8("era1.{name}", "{name}", {base}, {values}, 0x{mask:02x})'


if __name__ == "__main__":
    print(lua(), end="")
