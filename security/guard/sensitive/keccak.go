package sensitive

import (
	"encoding/binary"
	"math/bits"
)

// keccak256 is the hash of Ethereum: Keccak with the padding that it had before
// it became SHA-3, for which the standard library has no function. One block holds
// the only length that is asked for. (The Keccak reference, version 3.0.)
func keccak256(text [40]byte) (sum [32]byte) {
	var a [25]uint64
	for i := range 5 {
		a[i] = binary.LittleEndian.Uint64(text[8*i:])
	}
	a[5] = 1           // the padding begins
	a[16] ^= 1 << 63   // and ends with the block of 136 bytes
	var round byte = 1 // the state of the generator of round constants
	for range 24 {
		keccakMix(&a)
		for j := range 7 {
			if round&1 == 1 {
				a[0] ^= 1 << (1<<j - 1)
			}
			round = round<<1 ^ round>>7*0x71
		}
	}
	for i := range 4 {
		binary.LittleEndian.PutUint64(sum[8*i:], a[i])
	}
	return sum
}

// keccakMix is a round without its constant: the steps theta, rho, pi and chi.
func keccakMix(a *[25]uint64) {
	var c [5]uint64
	for x := range 5 {
		c[x] = a[x] ^ a[x+5] ^ a[x+10] ^ a[x+15] ^ a[x+20]
	}
	for i := range a {
		a[i] ^= c[(i%5+4)%5] ^ bits.RotateLeft64(c[(i%5+1)%5], 1)
	}
	x, y, turn := 1, 0, a[1]
	for t := range 24 {
		x, y = y, (2*x+3*y)%5
		a[x+5*y], turn = bits.RotateLeft64(turn, (t+1)*(t+2)/2%64), a[x+5*y]
	}
	for y := 0; y < 25; y += 5 {
		row := [5]uint64(a[y : y+5])
		for x := range 5 {
			a[y+x] = row[x] ^ ^row[(x+1)%5]&row[(x+2)%5]
		}
	}
}
