package filecache

import (
	"encoding/binary"
	"errors"
	"time"
)

// recordMagic names the format and its version.
const recordMagic = "ccf1"

const recordHeader = len(recordMagic) + 8

var errNotARecord = errors.New("not a record of this package")

// encodeRecord puts a header before the data: the magic, and when it expires, in microseconds of Unix time, big-endian.
// There is no checksum: a record comes into being whole, and cache.Seal tells whether it was altered.
func encodeRecord(data []byte, expires time.Time) []byte {
	b := make([]byte, 0, recordHeader+len(data))
	b = append(b, recordMagic...)
	b = binary.BigEndian.AppendUint64(b, uint64(expires.UnixMicro()))
	return append(b, data...)
}

// parseRecord returns the data, which shares b's memory, and when it expires.
func parseRecord(b []byte) (data []byte, expires time.Time, err error) {
	if len(b) < recordHeader || string(b[:len(recordMagic)]) != recordMagic {
		return nil, time.Time{}, errNotARecord
	}
	micros := binary.BigEndian.Uint64(b[len(recordMagic):recordHeader])
	return b[recordHeader:], time.UnixMicro(int64(micros)), nil
}
