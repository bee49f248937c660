-- Wireshark dissector of era 1's packet. Derived from packet.py by dissector.py: do not edit.
local era1 = Proto("era1", "Seven Eras: reliability by hand")

local PROTOCOL, HEADER_BYTES = 253, 32
local SEQ_AT, ACK_AT = 12, 20
local KINDS = { [1] = "SYN", [2] = "SYNACK", [3] = "DATA", [4] = "ACK", [5] = "PING", [6] = "RST", [7] = "PART" }

local f_version = ProtoField.uint8("era1.version", "version", base.DEC, nil, 0xf0)
local f_kind = ProtoField.uint8("era1.kind", "kind", base.DEC, KINDS, 0x0f)
local f_flags = ProtoField.uint8("era1.flags", "flags", base.DEC)
local f_window = ProtoField.uint16("era1.window", "window", base.DEC)
local f_ack_delay = ProtoField.uint16("era1.ack_delay", "ack_delay", base.DEC)
local f_length = ProtoField.uint16("era1.length", "length", base.DEC)
local f_connection = ProtoField.uint32("era1.connection", "connection", base.DEC)
local f_seq = ProtoField.uint32("era1.seq", "seq", base.DEC)
local f_packet = ProtoField.uint32("era1.packet", "packet", base.DEC)
local f_ack = ProtoField.uint32("era1.ack", "ack", base.DEC)
local f_echo = ProtoField.uint32("era1.echo", "echo", base.DEC)
local f_checksum = ProtoField.uint32("era1.checksum", "checksum", base.HEX)
local f_flag_end = ProtoField.bool("era1.flags.end", "END", 8,
  nil, 1)
local f_flag_fin = ProtoField.bool("era1.flags.fin", "FIN", 8,
  nil, 2)
local payload = ProtoField.bytes("era1.payload", "payload")
era1.fields = { f_version, f_kind, f_flags, f_window, f_ack_delay, f_length, f_connection, f_seq, f_packet, f_ack, f_echo, f_checksum, f_flag_end, f_flag_fin, payload }

local HEADER = { -- field, its first byte, how many
  { f_version, 0, 1 },
  { f_kind, 0, 1 },
  { f_flags, 1, 1 },
  { f_window, 2, 2 },
  { f_ack_delay, 4, 2 },
  { f_length, 6, 2 },
  { f_connection, 8, 4 },
  { f_seq, 12, 4 },
  { f_packet, 16, 4 },
  { f_ack, 20, 4 },
  { f_echo, 24, 4 },
  { f_checksum, 28, 4 },
  { f_flag_end, 1, 1 },
  { f_flag_fin, 1, 1 },
}

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
