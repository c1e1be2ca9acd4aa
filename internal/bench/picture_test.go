package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// In virtual time, and the library alone: x/oauth2 holds a mutex over the network, on which a bubble stands still.
func TestLibraryMakesNobodyWaitInThePicture(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		began := time.Now()
		p := measure("ours", ours)
		if got, want := p.summary(), "0 of 11960 calls waited over 50 ms, the longest 0 ms"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if at := p.asked.Sub(began); at < 22*time.Second || at > 25*time.Second {
			t.Errorf("the second token was asked for after %v", at)
		}
	})
}

func TestPictureIsWellFormedAndShowsTheCallsAround(t *testing.T) {
	asked := time.Now()
	made := func(at, took time.Duration) call { return call{at: asked.Add(at), took: took} }
	theirs := panel{name: "theirs & co", asked: asked, longest: 1000, slow: 2, calls: []call{
		made(-time.Second, 0), made(pictureFrom, 0), made(0, 100*time.Millisecond), made(pictureTo, time.Second),
		made(time.Second, 0),
	}}
	var svg bytes.Buffer
	draw(&svg, []panel{theirs, {name: "ours", asked: asked}})
	for d := xml.NewDecoder(bytes.NewReader(svg.Bytes())); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{
		"theirs &amp; co", "2 of 5 calls waited over 50 ms, the longest 1000 ms", "prefers-color-scheme: dark",
		`<circle cx="62.0" cy="294.0" r="2.2"/>`, `<circle cx="152.0" cy="226.0" r="2.2"/>`,
		`<circle cx="422.0" cy="124.0" r="2.2"/>`, // no higher than the panel
	} {
		if !strings.Contains(svg.String(), want) {
			t.Errorf("%q is not in the picture", want)
		}
	}
	if n := strings.Count(svg.String(), "<circle"); n != 3 {
		t.Errorf("%d calls are shown, want 3", n)
	}
}
