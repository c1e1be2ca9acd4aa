package httpapi

import (
	"context"

	"github.com/coder/websocket"

	"github.com/ccclient/go-ccclient/ccclient"
)

// DialWebsocket opens a WebSocket.
func DialWebsocket(ctx context.Context, client *ccclient.Client) (*websocket.Conn, error) {
	conn, _, err := websocket.Dial(ctx, "wss://api.example.com/events", &websocket.DialOptions{
		HTTPClient: client.HTTPClient(), // the token goes with the handshake
	})
	return conn, err
}
