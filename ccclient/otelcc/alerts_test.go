package otelcc_test

import (
	"encoding/json"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
	"github.com/ccclient/go-ccclient/ccclient/otelcc"
)

const docs = "../../docs" // of another module, so go test does not notice when they change: -count=1

// document returns the text of one in docs.
func document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(docs, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// alerted is what the rules say of each fault.
var alerted = map[string][]string{
	"dead token server":           {"NoToken", "TokenServerFails"},
	"bad credentials":             {"NoToken", "TokenRequestsRefused"},
	"API that rejects everything": {"TokensRejected"},
	"slow store":                  {"TokenStoreUnusable"},
	"nothing":                     nil,
}

const scrapeInterval = 10 * time.Second

// scrapes are the series of a run, each with a value, or "_" for none, for each scrape.
type scrapes struct {
	n      int
	series map[string][]string
}

// add keeps what Prometheus would scrape now.
func (s *scrapes) add(r *prometheus.Registry) {
	page := httptest.NewRecorder()
	promhttp.HandlerFor(r, promhttp.HandlerOpts{}).ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(page.Body.String()) {
		at := strings.LastIndexByte(line, ' ')
		if !strings.HasPrefix(line, "oauth_") || strings.Contains(line, "_bucket{") {
			continue
		}
		all := s.series[line[:at]]
		for len(all) < s.n {
			all = append(all, "_")
		}
		s.series[line[:at]] = append(all, strings.TrimSpace(line[at:]))
	}
	s.n++
}

// run makes calls for some time, then the fault, and more calls for as long.
func (s *scrapes) run(t *testing.T, f fault, lifetime, each time.Duration) {
	t.Setenv("CCCLIENT_TEST_SECRET", cctest.DefaultClientSecret)
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		to, err := exporter.New(exporter.WithRegisterer(registry))
		if err != nil {
			t.Fatal(err)
		}
		r := newRig(t, cctest.Options{Lifetime: lifetime}, f.configure, func(o *otelcc.Options) {
			o.MeterProvider = metric.NewMeterProvider(metric.WithReader(to))
		})
		half := int(each / scrapeInterval)
		for i := range 2 * half {
			if i == half && f.spoil != nil {
				f.spoil(r)
			}
			r.call(t.Context())
			s.add(registry)
			time.Sleep(scrapeInterval)
		}
	})
}

func TestAlertsTellTheFaultsApart(t *testing.T) {
	for name, alerts := range alerted {
		t.Run(name, func(t *testing.T) {
			s := scrapes{series: make(map[string][]string)}
			s.run(t, faults[name], 2*time.Minute, 10*time.Minute)
			before := alerts
			if name != "slow store" { // which is slow from the beginning
				before = nil
			}
			s.want(t, map[string][]string{"590s": before, "1190s": alerts})
		})
	}
}

func TestTicketComesFiveMinutesBeforeThePage(t *testing.T) {
	s := scrapes{series: make(map[string][]string)}
	s.run(t, faults["dead token server"], time.Hour, 40*time.Minute)
	s.want(t, map[string][]string{
		"44m": nil, "55m": {"TokenServerFails"}, "59m": {"TokenServerFails"}, "62m": {"NoToken", "TokenServerFails"},
	})
}

// want asks promtool whether these are the alerts that fire at these times.
func (s *scrapes) want(t *testing.T, alerts map[string][]string) {
	t.Helper()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is missing: install the Debian package prometheus")
	}
	rules, err := filepath.Abs(docs + "/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "test.json") // which is YAML, too
	if err := os.WriteFile(file, s.rulesTest(t, rules, alerts), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"check", "rules", rules}, {"test", "rules", file}} {
		if out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool: %v\n%s", err, out)
		}
	}
}

// rulesTest returns what promtool test rules reads.
func (s *scrapes) rulesTest(t *testing.T, rules string, alerts map[string][]string) []byte {
	t.Helper()
	type object = map[string]any
	var input, firing []object
	for _, name := range slices.Sorted(maps.Keys(s.series)) {
		input = append(input, object{"series": name, "values": strings.Join(s.series[name], " ")})
	}
	for at, names := range alerts {
		var want []object
		for _, name := range names {
			want = append(want, object{"labels": `{alertname="` + name + `"}`, "value": 1})
		}
		firing = append(firing, object{
			"expr":      `group by (alertname) (ALERTS{alertstate="firing"})`,
			"eval_time": at, "exp_samples": want,
		})
	}
	text, err := json.Marshal(object{
		"rule_files": []string{rules}, "evaluation_interval": scrapeInterval.String(),
		"tests": []object{{
			"interval": scrapeInterval.String(), "input_series": input, "promql_expr_test": firing,
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestOperationsHaveEachMetricAndEachAlert(t *testing.T) {
	operations, rules := document(t, "operations.md"), document(t, "alerts.yml")
	alerts := regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(rules, -1)
	if len(alerts) < len(alerted) {
		t.Errorf("%d alerts", len(alerts))
	}
	for _, m := range alerts {
		if !strings.Contains(operations, "`"+m[1]+"`") {
			t.Errorf("the alert %s is not there", m[1])
		}
	}
	for _, name := range []string{requests, served, waits, rejections, nonces, stores, remaining, coolDown} {
		if !strings.Contains(operations, "`"+name+"`") {
			t.Errorf("%s is not there", name)
		}
	}
	for _, name := range regexp.MustCompile(`oauth_client_\w+_(seconds|total)`).FindAllString(rules, -1) {
		if !strings.Contains(operations, "`"+name) {
			t.Errorf("%s is not there", name)
		}
	}
}
