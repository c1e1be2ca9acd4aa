//go:build kafka && unix

package kafka_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
	"github.com/ccclient/go-ccclient/examples/recipes/kafka"
)

// A rig is an authorization server, a broker that takes its tokens, and a client.
type rig struct {
	as     *cctest.Server
	client *ccclient.Client
	broker string
}

// lifetime is that of a token, short so that several expire in a test.
const lifetime = 4 * time.Second

func newRig(t *testing.T) *rig {
	t.Helper()
	as := cctest.NewServer(cctest.Options{JWTAccessTokens: true, Lifetime: lifetime})
	t.Cleanup(as.Close)
	client, err := ccclient.New(ccclient.Config{
		TokenURL: as.TokenURL(),
		ClientID: cctest.DefaultClientID,
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
		Scopes:   []string{"kafka"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return &rig{as: as, client: client, broker: startBroker(t, as.URL()+"/jwks")}
}

// livesOn sends a record every now and then while three tokens expire, and after the fourth was revoked.
func (r *rig) livesOn(t *testing.T, send func(text string) error) (sent int) {
	t.Helper()
	before := r.as.Stats().TokenRequests
	for start := time.Now(); time.Since(start) < 3*lifetime; time.Sleep(lifetime / 10) {
		sent++
		if err := send(fmt.Sprint("thing ", sent)); err != nil {
			t.Fatalf("record %d: %v", sent, err)
		}
	}
	if n := r.as.Stats().TokenRequests - before; n < 2 {
		t.Errorf("%d token requests: the sessions did not get new tokens", n)
	}
	// The broker has a signature to go by, and asks nobody whether the token was revoked.
	r.as.RevokeAll()
	sent++
	if err := send(fmt.Sprint("thing ", sent)); err != nil {
		t.Errorf("after a revocation: %v", err)
	}
	return sent
}

func (r *rig) createTopic(t *testing.T, c *kgo.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := kadm.NewClient(c).CreateTopic(ctx, 1, 1, nil, "things"); err != nil {
		t.Fatal(err)
	}
}

func TestKafkaLivesOnWithFranz(t *testing.T) {
	r := newRig(t)
	c, err := kafka.NewFranz(r.client, kgo.SeedBrokers(r.broker), kgo.DefaultProduceTopic("things"),
		kgo.ConsumeTopics("things"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r.createTopic(t, c)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	sent := r.livesOn(t, func(text string) error {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		return c.ProduceSync(ctx, kgo.StringRecord(text)).FirstErr()
	})
	for received := 0; received < sent; {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("after %d records of %d: %v", received, sent, err)
		}
		received += fetches.NumRecords()
	}
}

func TestKafkaLivesOnWithSarama(t *testing.T) {
	r := newRig(t)
	admin, err := kafka.NewFranz(r.client, kgo.SeedBrokers(r.broker))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	r.createTopic(t, admin)
	cfg := kafka.NewSaramaConfig(r.client)
	cfg.Net.TLS.Enable = false // on loopback
	cfg.Producer.Return.Successes = true
	c, err := sarama.NewClient([]string{r.broker}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	producer, err := sarama.NewSyncProducerFromClient(c)
	if err != nil {
		t.Fatal(err)
	}
	sent := r.livesOn(t, func(text string) error {
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "things", Value: sarama.StringEncoder(text)})
		return err
	})
	consumer, err := sarama.NewConsumerFromClient(c)
	if err != nil {
		t.Fatal(err)
	}
	records, err := consumer.ConsumePartition("things", 0, sarama.OffsetOldest)
	if err != nil {
		t.Fatal(err)
	}
	defer records.Close()
	for received := range sent {
		select {
		case <-records.Messages():
		case <-time.After(time.Minute):
			t.Fatalf("%d records of %d", received, sent)
		}
	}
}
