// Command fsck lets Tessera's checker judge logs: `fsck DIR` those that `vectors make` wrote, whole and tampered with;
// `fsck live URL VKEYFILE [TOKENFILE]` one that is served.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	f_note "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"k8s.io/klog/v2"

	"ledgercheck/report"
	"ledgercheck/source"
)

func main() {
	// The checker logs what it does; what counts is its answer.
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	report.Must(flags.Set("logtostderr", "false"))
	klog.SetOutput(io.Discard)
	words := os.Args[1:]
	switch {
	case len(words) == 1:
		written(words[0])
	case len(words) >= 3 && words[0] == "live":
		live(words[1], words[2], words[3:])
	default:
		fmt.Println("FAIL usage: fsck DIR | fsck live URL VKEYFILE [TOKENFILE]")
		os.Exit(2)
	}
	report.Exit()
}

func written(dir string) {
	key := verifier(filepath.Join(dir, "log.vkey"))
	for _, size := range []string{"1", "2", "255", "256", "257", "70000"} {
		report.Accepts("fsck: log of "+size, check(key, client.FileFetcher{Root: filepath.Join(dir, "logs", size)}))
	}
	small := filepath.Join(dir, "logs", "257")
	for _, flip := range source.Flips() {
		report.Refuses("fsck: "+flip.String(), check(key, flipped{client.FileFetcher{Root: small}, flip}))
	}
	other := verifier(filepath.Join(dir, "witness.vkey"))
	report.Refuses("fsck: another key", check(other, client.FileFetcher{Root: small}))
	server := httptest.NewServer(http.FileServer(http.Dir(small)))
	defer server.Close()
	report.Accepts("fsck: over HTTP", check(key, overHTTP(server.URL, "")))
}

func live(address, vkeyFile string, token []string) {
	secret := ""
	if len(token) > 0 {
		bytes, err := os.ReadFile(token[0])
		report.Must(err)
		secret = strings.TrimSpace(string(bytes))
	}
	report.Accepts("fsck: "+address, check(verifier(vkeyFile), overHTTP(address, secret)))
}

func overHTTP(address, token string) fsck.Fetcher {
	parsed, err := url.Parse(strings.TrimSuffix(address, "/") + "/")
	report.Must(err)
	fetcher, err := client.NewHTTPFetcher(parsed, nil)
	report.Must(err)
	if token != "" {
		fetcher.SetAuthorizationHeader("Bearer " + token)
	}
	return fetcher
}

func verifier(file string) note.Verifier {
	vkey, err := os.ReadFile(file)
	report.Must(err)
	key, err := f_note.NewVerifier(strings.TrimSpace(string(vkey)))
	if err != nil {
		key, err = f_note.NewVerifierForCosignatureV1(strings.TrimSpace(string(vkey)))
	}
	report.Must(err)
	return key
}

func check(key note.Verifier, from fsck.Fetcher) error {
	return fsck.New(key.Name(), key, from, leaves, fsck.Opts{N: 2}).Check(context.Background())
}

func leaves(bundle []byte) ([][]byte, error) {
	entries := &api.EntryBundle{}
	if err := entries.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	hashes := make([][]byte, 0, len(entries.Entries))
	for _, entry := range entries.Entries {
		hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(entry))
	}
	return hashes, nil
}

// flipped alters one byte of what the fetcher reads.
type flipped struct {
	from fsck.Fetcher
	flip source.Flip
}

func (f flipped) ReadCheckpoint(ctx context.Context) ([]byte, error) {
	bytes, err := f.from.ReadCheckpoint(ctx)
	return f.flip.Apply("checkpoint", bytes), err
}

func (f flipped) ReadTile(ctx context.Context, level, n uint64, width uint8) ([]byte, error) {
	bytes, err := f.from.ReadTile(ctx, level, n, width)
	return f.flip.Apply(source.Path(strconv.FormatUint(level, 10), int64(n), int(width)), bytes), err
}

func (f flipped) ReadEntryBundle(ctx context.Context, n uint64, width uint8) ([]byte, error) {
	bytes, err := f.from.ReadEntryBundle(ctx, n, width)
	return f.flip.Apply(source.Path("entries", int64(n), int(width)), bytes), err
}
