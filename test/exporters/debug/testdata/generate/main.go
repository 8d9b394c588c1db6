// Prints OTLP metrics (protobuf, standard input) with the Collector's own debug exporter into <folder>/<verbosity>.golden.
package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configtelemetry"
	"go.opentelemetry.io/collector/exporter/debugexporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	data, err := io.ReadAll(os.Stdin)
	check(err)
	metrics, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(data)
	check(err)
	for _, level := range []configtelemetry.Level{configtelemetry.LevelBasic, configtelemetry.LevelNormal, configtelemetry.LevelDetailed} {
		path := filepath.Join(os.Args[1], strings.ToLower(level.String())+".golden")
		check(os.RemoveAll(path))
		factory := debugexporter.NewFactory()
		config := factory.CreateDefaultConfig().(*debugexporter.Config)
		config.Verbosity = level
		config.UseInternalLogger = false
		config.OutputPaths = []string{path}
		exporter, err := factory.CreateMetrics(context.Background(), exportertest.NewNopSettings(factory.Type()), config)
		check(err)
		check(exporter.Start(context.Background(), componenttest.NewNopHost()))
		check(exporter.ConsumeMetrics(context.Background(), metrics))
		check(exporter.Shutdown(context.Background()))
	}
}
