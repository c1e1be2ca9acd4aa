#!/bin/sh
# Gets Keycloak and builds Spring Authorization Server's program, both with Maven, for `go test -tags java`.
set -eu
cd "$(dirname "$0")/java"
version=26.4.7
if ! [ -d "keycloak-$version" ]; then
	mvn -B -q dependency:get -Dartifact="org.keycloak:keycloak-quarkus-dist:$version:zip" -Dtransitive=false
	mvn -B -q dependency:copy -Dartifact="org.keycloak:keycloak-quarkus-dist:$version:zip" -DoutputDirectory=.
	unzip -q "keycloak-quarkus-dist-$version.zip"
	rm "keycloak-quarkus-dist-$version.zip"
fi
mvn -B -q -f spring package
