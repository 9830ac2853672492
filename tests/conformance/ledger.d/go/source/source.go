// Package source reads a tree of C2SP tlog-tiles from a folder or over HTTP, if wanted with one byte altered.
package source

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// BytesMax bounds one answer: a full bundle of the largest entries.
const BytesMax = 256 * (65535 + 2)

// Source reads files by their names in the specification.
type Source func(path string) ([]byte, error)

// Open takes a folder or an http(s) address; the token, if any, goes into the header Authorization.
func Open(root, token string) Source {
	if !strings.HasPrefix(root, "http://") && !strings.HasPrefix(root, "https://") {
		return func(path string) ([]byte, error) { return os.ReadFile(filepath.Join(root, path)) }
	}
	client := &http.Client{Timeout: 10 * time.Second}
	return func(path string) ([]byte, error) {
		request, err := http.NewRequest("GET", strings.TrimSuffix(root, "/")+"/"+path, nil)
		if err != nil {
			return nil, err
		}
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
		answer, err := client.Do(request)
		if err != nil {
			return nil, err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s: %s", path, answer.Status)
		}
		return io.ReadAll(io.LimitReader(answer.Body, BytesMax))
	}
}

// Flip is one altered byte; a negative offset counts from the end.
type Flip struct {
	Path   string
	Offset int
}

func (f Flip) String() string { return fmt.Sprintf("%s at byte %d", f.Path, f.Offset) }

// Apply alters the bytes if they are of the flip's file.
func (f Flip) Apply(path string, bytes []byte) []byte {
	if path != f.Path || len(bytes) == 0 {
		return bytes
	}
	altered := append([]byte(nil), bytes...)
	altered[(f.Offset%len(bytes)+len(bytes))%len(bytes)] ^= 1
	return altered
}

// With gives the source with one byte altered.
func (s Source) With(f Flip) Source {
	return func(path string) ([]byte, error) {
		bytes, err := s(path)
		return f.Apply(path, bytes), err
	}
}

// Flips are the bytes that each reader of the log of 257 entries must miss: the checkpoint's three lines and its
// signature, entries and their lengths, and hashes of each level.
func Flips() []Flip {
	flips := []Flip{}
	for _, offset := range []int{0, 20, 37, 45, 60, -20, -60, -80} {
		flips = append(flips, Flip{"checkpoint", offset})
	}
	for _, path := range []string{"tile/entries/000", "tile/entries/001.p/1"} {
		for _, offset := range []int{1, 2, 9, -1} {
			flips = append(flips, Flip{path, offset})
		}
	}
	for _, path := range []string{"tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1"} {
		for _, offset := range []int{0, 31, -1} {
			flips = append(flips, Flip{path, offset})
		}
	}
	return flips
}

// Path is the canonical name of a tile; the kind is a level or "entries", a width of 0 or 256 means a full one.
func Path(kind string, n int64, width int) string {
	number := fmt.Sprintf("%03d", n%1000)
	for n >= 1000 {
		n /= 1000
		number = fmt.Sprintf("x%03d/%s", n%1000, number)
	}
	if width > 0 && width < 256 {
		number += ".p/" + strconv.Itoa(width)
	}
	return "tile/" + kind + "/" + number
}
