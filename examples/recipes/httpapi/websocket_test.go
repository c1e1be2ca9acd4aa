package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/coder/websocket"

	"github.com/ccclient/go-ccclient/examples/recipes/httpapi"
	"github.com/ccclient/go-ccclient/examples/recipes/internal/rig"
)

func TestWebsocketLivesOn(t *testing.T) {
	rig.Run(t, func(t *testing.T, r *rig.Rig) {
		r.Protect(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			conn, err := websocket.Accept(w, req, nil)
			if err != nil {
				t.Error(err)
				return
			}
			if err := conn.Write(req.Context(), websocket.MessageText, []byte("hello")); err != nil {
				t.Error(err)
			}
			conn.Close(websocket.StatusNormalClosure, "")
		}))
		r.LivesOn(t, func() error {
			conn, err := httpapi.DialWebsocket(t.Context(), r.Client)
			if err != nil {
				return err
			}
			defer conn.CloseNow()
			_, message, err := conn.Read(t.Context())
			if string(message) != "hello" {
				t.Errorf("%q", message)
			}
			if _, _, err := conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
				t.Error(err)
			}
			return err
		})
	})
}
