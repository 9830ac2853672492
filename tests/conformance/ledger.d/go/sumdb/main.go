// Command sumdb reads logs with the code that checks Go's own module database: `sumdb DIR` those that `vectors make`
// wrote, with their proofs, whole and tampered with; `sumdb live URL VKEYFILE [TOKENFILE]` one that is served.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	f_note "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"ledgercheck/report"
	"ledgercheck/source"
)

// Up to this size a record proof is made from tiles and checked for each entry, above it for some.
const proveAllBelow = 1000

func main() {
	words := os.Args[1:]
	switch {
	case len(words) == 1:
		written(words[0])
	case len(words) >= 3 && words[0] == "live":
		token := ""
		if len(words) > 3 {
			token = strings.TrimSpace(read(words[3]))
		}
		report.Accepts("sumdb: "+words[1], whole(source.Open(words[1], token), key(words[2])))
	default:
		fmt.Println("FAIL usage: sumdb DIR | sumdb live URL VKEYFILE [TOKENFILE]")
		os.Exit(2)
	}
	report.Exit()
}

func written(dir string) {
	log, witness := key(filepath.Join(dir, "log.vkey")), cosigner(filepath.Join(dir, "witness.vkey"))
	sizes := []string{"1", "2", "255", "256", "257", "70000"}
	for _, size := range sizes {
		report.Accepts("sumdb: log of "+size, whole(source.Open(filepath.Join(dir, "logs", size), ""), log))
	}
	small := source.Open(filepath.Join(dir, "logs", "257"), "")
	for _, flip := range source.Flips() {
		report.Refuses("sumdb: "+flip.String(), whole(small.With(flip), log))
	}
	for _, size := range sizes {
		cosigned := read(filepath.Join(dir, "cosigned", size))
		report.Accepts("note: cosigned "+size, cosigning(cosigned, log, witness))
		at := strings.LastIndex(cosigned, " ") + 30
		report.Refuses("note: altered cosignature "+size, cosigning(flip(cosigned, at), log, witness))
	}
	proofs(dir)
	consistency(dir, log)
}

// cosigning says whether both have signed.
func cosigning(text string, log, witness note.Verifier) error {
	opened, err := note.Open([]byte(text), note.VerifierList(log, witness))
	if err == nil && len(opened.Sigs) != 2 {
		err = fmt.Errorf("%d good signatures of 2", len(opened.Sigs))
	}
	return err
}

func flip(text string, at int) string {
	bytes := []byte(text)
	bytes[at] ^= 1
	return string(bytes)
}

// whole opens the checkpoint, authenticates every leaf hash through tiles, and hashes every entry.
func whole(from source.Source, log note.Verifier) error {
	tree, err := head(from, log)
	if err != nil {
		return err
	}
	hashes := tlog.TileHashReader(tree, tiles{from})
	for n := int64(0); n*256 < tree.N; n++ {
		width := min(256, tree.N-n*256)
		bundle, err := from(source.Path("entries", n, int(width)))
		if err != nil {
			return err
		}
		if err := entries(bundle, n*256, width, tree, hashes); err != nil {
			return err
		}
	}
	return nil
}

func entries(bundle []byte, first, count int64, tree tlog.Tree, hashes tlog.HashReader) error {
	indexes := make([]int64, count)
	for i := range indexes {
		indexes[i] = tlog.StoredHashIndex(0, first+int64(i))
	}
	authentic, err := hashes.ReadHashes(indexes)
	if err != nil {
		return err
	}
	for i := int64(0); i < count; i++ {
		if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
			return fmt.Errorf("bundle ends inside entry %d", first+i)
		}
		length := 2 + int(binary.BigEndian.Uint16(bundle))
		leaf := tlog.RecordHash(bundle[2:length])
		bundle = bundle[length:]
		if leaf != authentic[i] {
			return fmt.Errorf("entry %d is not the one of the tree", first+i)
		}
		if tree.N > proveAllBelow && (first+i)%997 != 0 {
			continue
		}
		proof, err := tlog.ProveRecord(tree.N, first+i, hashes)
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, first+i, leaf); err != nil {
			return err
		}
	}
	if len(bundle) != 0 {
		return errors.New("bundle has more than its entries")
	}
	return nil
}

func head(from source.Source, log note.Verifier) (tlog.Tree, error) {
	text, err := from("checkpoint")
	if err != nil {
		return tlog.Tree{}, err
	}
	opened, err := note.Open(text, note.VerifierList(log))
	if err != nil {
		return tlog.Tree{}, err
	}
	return parse(opened.Text, log.Name())
}

func parse(text, origin string) (tlog.Tree, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[0] != origin {
		return tlog.Tree{}, errors.New("not the three lines of a checkpoint of this log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

// tiles gives the reader of Go the tiles under the names of the specification.
type tiles struct{ from source.Source }

func (tiles) Height() int { return 8 }

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	found := make([][]byte, len(wanted))
	for i, tile := range wanted {
		bytes, err := t.from(source.Path(strconv.Itoa(tile.L), tile.N, tile.W))
		if err != nil {
			return nil, err
		}
		found[i] = bytes
	}
	return found, nil
}

func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// proofs checks inclusion as our proof files state it, and that each altered line is refused.
func proofs(dir string) {
	for _, folder := range []string{"proofs", "receipts"} {
		files, err := filepath.Glob(filepath.Join(dir, folder, "*.tlog-proof"))
		report.Must(err)
		if len(files) == 0 {
			report.Must(fmt.Errorf("no proof in %s", folder))
		}
		for _, file := range files {
			leaf := tlog.RecordHash([]byte(read(strings.TrimSuffix(file, ".tlog-proof") + ".leaf")))
			name := folder + "/" + filepath.Base(file)
			index, path, tree := proof(read(file))
			report.Accepts("tlog: "+name, tlog.CheckRecord(path, tree.N, tree.Hash, index, leaf))
			leaf[3] ^= 1
			report.Refuses("tlog: other leaf for "+name, tlog.CheckRecord(path, tree.N, tree.Hash, index, leaf))
			leaf[3] ^= 1
			for i := range path {
				path[i][31] ^= 1
				err := tlog.CheckRecord(path, tree.N, tree.Hash, index, leaf)
				path[i][31] ^= 1
				report.Refuses(fmt.Sprintf("tlog: altered hash %d of %s", i, name), err)
			}
		}
	}
}

func proof(text string) (int64, tlog.RecordProof, tlog.Tree) {
	top, checkpoint, _ := strings.Cut(text, "\n\n")
	body, _, _ := strings.Cut(checkpoint, "\n\n")
	origin, _, _ := strings.Cut(checkpoint, "\n")
	tree, err := parse(body+"\n", origin)
	report.Must(err)
	index, path := int64(-1), tlog.RecordProof{}
	for _, line := range strings.Split(top, "\n")[1:] {
		switch {
		case strings.HasPrefix(line, "extra "):
		case strings.HasPrefix(line, "index "):
			index, err = strconv.ParseInt(line[len("index "):], 10, 64)
			report.Must(err)
		default:
			path = append(path, hash(line))
		}
	}
	return index, path, tree
}

// consistency checks each pair of sizes, and that altered proofs and roots are refused.
func consistency(dir string, log note.Verifier) {
	files, err := filepath.Glob(filepath.Join(dir, "consistency", "*-*"))
	report.Must(err)
	if len(files) == 0 {
		report.Must(errors.New("no consistency proof"))
	}
	for _, file := range files {
		name := filepath.Base(file)
		older, newer, _ := strings.Cut(name, "-")
		first, err := head(source.Open(filepath.Join(dir, "logs", older), ""), log)
		report.Must(err)
		second, err := head(source.Open(filepath.Join(dir, "logs", newer), ""), log)
		report.Must(err)
		path := tlog.TreeProof{}
		for _, line := range strings.Fields(read(file)) {
			path = append(path, hash(line))
		}
		check := func() error { return tlog.CheckTree(path, second.N, second.Hash, first.N, first.Hash) }
		report.Accepts("tlog: consistency "+name, check())
		for i := range path {
			path[i][0] ^= 1
			report.Refuses(fmt.Sprintf("tlog: altered hash %d of consistency %s", i, name), check())
			path[i][0] ^= 1
		}
		first.Hash[7] ^= 1
		report.Refuses("tlog: other old root of consistency "+name, check())
	}
}

func hash(line string) tlog.Hash {
	bytes, err := base64.StdEncoding.Strict().DecodeString(line)
	report.Must(err)
	if len(bytes) != tlog.HashSize {
		report.Must(fmt.Errorf("a hash of %d bytes", len(bytes)))
	}
	return tlog.Hash(bytes)
}

func read(file string) string {
	bytes, err := os.ReadFile(file)
	report.Must(err)
	return string(bytes)
}

func key(file string) note.Verifier {
	verifier, err := note.NewVerifier(strings.TrimSpace(read(file)))
	report.Must(err)
	return verifier
}

func cosigner(file string) note.Verifier {
	verifier, err := f_note.NewVerifierForCosignatureV1(strings.TrimSpace(read(file)))
	report.Must(err)
	return verifier
}
