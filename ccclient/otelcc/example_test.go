package otelcc_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
	"github.com/ccclient/go-ccclient/ccclient/otelcc"
)

func Example() {
	as := cctest.NewServer(cctest.Options{}) // in place of a real one
	defer as.Close()
	reader := metric.NewManualReader() // in place of an exporter

	told, err := otelcc.New(otelcc.Options{MeterProvider: metric.NewMeterProvider(metric.WithReader(reader))})
	if err != nil {
		log.Fatal(err)
	}
	tokens, err := ccclient.New(ccclient.Config{
		TokenURL:   "https://login.example.com/token",
		ClientID:   cctest.DefaultClientID,
		Auth:       ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
		HTTPClient: &http.Client{Transport: as.RoundTripper()},
		Trace:      told,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer tokens.Close()
	for range 3 {
		if _, err := tokens.Token(context.Background()); err != nil {
			log.Fatal(err)
		}
	}

	var metrics metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &metrics); err != nil {
		log.Fatal(err)
	}
	for _, m := range metrics.ScopeMetrics[0].Metrics {
		fmt.Println(m.Name, m.Unit)
	}
	// Unordered output:
	// oauth.client.token.request.duration s
	// oauth.client.token.wait.duration s
	// oauth.client.token.served {token}
	// oauth.client.token.remaining s
	// oauth.client.cooldown s
}
