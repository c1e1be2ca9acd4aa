package ccclient

import "context"

// Check asks the server for a token, whatever is cached, and says in one sentence for each mistake that it finds what a
// person should mend: in the configuration, the network, the certificates or the clock. Nil means that a token was had,
// with all scopes that were asked for. It is for start-up and for diagnosis, since each call is a token request: it
// heeds no cool-down, and runs on ctx.
//
// Its error is an [*Error], or more than one that errors.Join has joined; or ErrClosed, or ctx's.
func (c *Client) Check(ctx context.Context) error {
	_, err := c.Refresh(ctx)
	return err
}
