package kafka

import (
	"context"
	"time"

	"github.com/IBM/sarama"

	"github.com/ccclient/go-ccclient/ccclient"
)

// NewSaramaConfig returns the configuration of a client of sarama.
func NewSaramaConfig(client *ccclient.Client) *sarama.Config {
	cfg := sarama.NewConfig()
	cfg.Net.TLS.Enable = true
	cfg.Net.SASL.Enable = true
	cfg.Net.SASL.Mechanism = sarama.SASLTypeOAuth
	cfg.Net.SASL.TokenProvider = tokens{client}
	return cfg
}

type tokens struct{ client *ccclient.Client }

// Token is asked for each connection, and each time that the broker wants another token.
func (t tokens) Token() (*sarama.AccessToken, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	token, err := t.client.AccessToken(ctx)
	if err != nil {
		return nil, err
	}
	return &sarama.AccessToken{Token: token}, nil
}
