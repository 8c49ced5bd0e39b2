// geth-hub: what perf/compare measures millrace-hub beside. A hub on go-ethereum's own p2p.Server, capability bench/1:
// every message with code 0 goes on to all other peers, never back; lossless and in order.
//
// The peer's reader puts a message into the channels of all others; one goroutine a peer writes what its channel holds.
// A reader that writes itself is slower. A full channel makes the reader wait: nothing is dropped.
//
//	geth-hub [-port P]
//
// Prints its versions and its enode URL. Ends with SIGTERM.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"syscall"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p"
)

const (
	channelMessages = 128 // that may wait for one peer
	messageMax      = 16 << 20
	pendingMax      = 128 // handshakes at once: more than the driver begins
	gethModule      = "github.com/ethereum/go-ethereum"
)

type hub struct {
	mu    sync.RWMutex
	peers map[*p2p.Peer]*member
}

type member struct {
	out  chan []byte
	gone chan struct{} // closed when the peer's reader ends
}

func (m *member) write(rw p2p.MsgReadWriter) {
	for {
		select {
		case payload := <-m.out:
			msg := p2p.Msg{Code: 0, Size: uint32(len(payload)), Payload: bytes.NewReader(payload)}
			if rw.WriteMsg(msg) != nil {
				return // the reader sees the end too
			}
		case <-m.gone:
			return
		}
	}
}

func (h *hub) send(from *p2p.Peer, payload []byte) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for peer, m := range h.peers {
		if peer == from {
			continue
		}
		select {
		case m.out <- payload:
		case <-m.gone:
		}
	}
}

func (h *hub) run(peer *p2p.Peer, rw p2p.MsgReadWriter) error {
	m := &member{out: make(chan []byte, channelMessages), gone: make(chan struct{})}
	h.mu.Lock()
	h.peers[peer] = m
	h.mu.Unlock()
	go m.write(rw)
	defer func() {
		close(m.gone) // first: a sender may hold the lock while it waits for this peer
		h.mu.Lock()
		delete(h.peers, peer)
		h.mu.Unlock()
	}()
	for {
		msg, err := rw.ReadMsg()
		if err != nil {
			return err
		}
		if msg.Size > messageMax {
			return fmt.Errorf("message of %d bytes", msg.Size)
		}
		if msg.Code != 0 {
			if err := msg.Discard(); err != nil {
				return err
			}
			continue
		}
		payload := make([]byte, msg.Size)
		if _, err := io.ReadFull(msg.Payload, payload); err != nil {
			return err
		}
		h.send(peer, payload)
	}
}

func gethVersion() string {
	info, ok := debug.ReadBuildInfo()
	if ok {
		for _, dep := range info.Deps {
			if dep.Path == gethModule {
				return dep.Version
			}
		}
	}
	return "unknown"
}

func serve() error {
	port := flag.Int("port", 0, "TCP port, 0: any that is free")
	flag.Parse()

	key, err := crypto.GenerateKey()
	if err != nil {
		return err
	}
	h := &hub{peers: make(map[*p2p.Peer]*member)}
	server := p2p.Server{Config: p2p.Config{
		PrivateKey:      key,
		MaxPeers:        1 << 20,
		MaxPendingPeers: pendingMax,
		NoDiscovery:     true,
		NoDial:          true,
		Name:            "geth-hub",
		ListenAddr:      net.JoinHostPort("127.0.0.1", strconv.Itoa(*port)),
		Protocols:       []p2p.Protocol{{Name: "bench", Version: 1, Length: 4, Run: h.run}},
	}}
	if err := server.Start(); err != nil {
		return err
	}
	fmt.Printf("geth %s %s\n", gethVersion(), runtime.Version())
	fmt.Printf("enode://%x@%s\n", crypto.FromECDSAPub(&key.PublicKey)[1:], server.ListenAddr)

	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	<-ended
	return nil // without Stop: with thousands of peers it takes long, and nothing is to be saved
}

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "geth-hub:", err)
		os.Exit(1)
	}
}
