// Package kafka has the recipes for Apache Kafka. Its tests start a broker, which takes Java 17 and Maven:
//
//	go -C examples/recipes test -tags kafka ./kafka
package kafka
