package custody_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

const operationsDir = "examples/operations/"

// A unit is a systemd unit: values by section and key.
type unit map[string]map[string][]string

func readUnit(t *testing.T, path string) unit {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out, section := unit{}, ""
	for n, line := range strings.Split(string(raw), "\n") {
		key, value, pair := strings.Cut(line, "=")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]"):
			section = strings.Trim(line, "[]")
			out[section] = map[string][]string{}
		case !pair || section == "":
			t.Errorf("%s:%d: not a setting", path, n+1)
		default:
			out[section][key] = append(out[section][key], value)
		}
	}
	return out
}

// The files that operators copy name what there is.
func TestTheFilesForOperatorsHold(t *testing.T) {
	t.Parallel()
	program := build(t)
	t.Run("custody.service", func(t *testing.T) { theUnitIsHardened(t, program) })
	t.Run("Containerfile", theContainerfileBuildsWhatCIBuilds)
	t.Run("compose.yaml", func(t *testing.T) { theCompositionNamesWhatThereIs(t, program) })
}

func theUnitIsHardened(t *testing.T, program *built) {
	t.Helper()
	u := readUnit(t, operationsDir+"custody.service")["Service"]
	for key, want := range map[string]string{
		"Type": "notify", "Restart": "always", "NoNewPrivileges": "yes", "CapabilityBoundingSet": "", "ProtectSystem": "strict",
		"ProtectHome": "yes", "PrivateTmp": "yes", "PrivateDevices": "yes", "MemoryDenyWriteExecute": "yes", "User": "custody",
	} {
		if len(u[key]) != 1 || u[key][0] != want {
			t.Errorf("%s is %q", key, u[key])
		}
	}
	if stop, err := time.ParseDuration(u["TimeoutStopSec"][0] + "s"); err != nil || stop <= 30*time.Second {
		t.Errorf("TimeoutStopSec is %s, and a process drains for 30 s", stop)
	}
	start := strings.Fields(u["ExecStart"][0])
	if start[0] != "/usr/local/bin/custody" {
		t.Errorf("it starts %s", start[0])
	}
	for _, problem := range program.check(start[1:]) {
		t.Errorf("ExecStart: %s", problem)
	}
	for _, line := range u["Environment"] {
		name, _, _ := strings.Cut(line, "=")
		explained(t, name)
	}
	systemd(t, program.path)
}

// systemd asks systemd itself, where it is.
func systemd(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Log("systemd-analyze is not here: the unit was only read")
		return
	}
	raw, err := os.ReadFile(operationsDir + "custody.service")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "custody.service")
	if err := os.WriteFile(path, bytes.ReplaceAll(raw, []byte("/usr/local/bin/custody"), []byte(program)), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("systemd-analyze", "verify", "--man=no", path).CombinedOutput(); err != nil || bytes.Contains(out, []byte("custody.service")) {
		t.Errorf("%v\n%s", err, out)
	}
	// 20 is 2.0 of 10, which systemd calls OK; without hardening it is 9.6.
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", path).CombinedOutput()
	if err != nil && !bytes.Contains(out, []byte("unrecognized option")) {
		t.Errorf("%v\n%s", err, out)
	}
}

// explained reports a variable that the page does not have.
func explained(t *testing.T, name string) {
	t.Helper()
	raw, err := os.ReadFile("docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(raw, []byte("`"+name+"`")) {
		t.Errorf("%s is not on the page", name)
	}
}

// No container engine is here: what is compared is what can be, and the command
// that builds is the one that .ci/run runs.
func theContainerfileBuildsWhatCIBuilds(t *testing.T) {
	t.Helper()
	raw, err := os.ReadFile(operationsDir + "Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	ci, err := os.ReadFile(".ci/run")
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	built := regexp.MustCompile(`(?m)^RUN (CGO_ENABLED=0 go build .*) -o (\S+) \./cmd/custody`).FindStringSubmatch(text)
	if built == nil || !strings.Contains(string(ci), built[1]) {
		t.Fatalf("%q is not what .ci/run builds with", built)
	}
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(mod)[1]
	for _, want := range []string{
		"FROM docker.io/library/golang:" + string(version) + " AS build", "\nFROM scratch\n", "\nUSER 65532:65532\n",
		"COPY --from=build " + built[2] + " /usr/local/bin/custody\n", `ENTRYPOINT ["/usr/local/bin/custody"]`, `CMD ["serve"]`,
		"/etc/ssl/certs/ca-certificates.crt",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	instruction := regexp.MustCompile(`^(FROM|WORKDIR|COPY|RUN|USER|ENV|EXPOSE|STOPSIGNAL|ENTRYPOINT|CMD) `)
	for line := range strings.Lines(text) {
		if line != "\n" && !strings.HasPrefix(line, "#") && !instruction.MatchString(line) {
			t.Errorf("not an instruction: %s", line)
		}
	}
	for _, pair := range regexp.MustCompile(`CUSTODY_[A-Z_]+`).FindAllString(text, -1) {
		explained(t, pair)
	}
}

// A composition is as much of the Compose specification as the file uses.
type composition struct {
	Name     string              `yaml:"name"`
	Process  service             `yaml:"x-process"`
	Services map[string]service  `yaml:"services"`
	Volumes  map[string]struct{} `yaml:"volumes"`
}

type service struct {
	Image       string            `yaml:"image"`
	Build       containerBuild    `yaml:"build"`
	Command     []string          `yaml:"command"`
	Environment map[string]string `yaml:"environment"`
	Volumes     []string          `yaml:"volumes"`
	Ports       []string          `yaml:"ports"`
	DependsOn   map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
	Healthcheck struct {
		Test        []string `yaml:"test"`
		Interval    string   `yaml:"interval"`
		Timeout     string   `yaml:"timeout"`
		StartPeriod string   `yaml:"start_period"`
		Retries     int      `yaml:"retries"`
	} `yaml:"healthcheck"`
	StopGracePeriod string   `yaml:"stop_grace_period"`
	ReadOnly        bool     `yaml:"read_only"`
	CapDrop         []string `yaml:"cap_drop"`
	SecurityOpt     []string `yaml:"security_opt"`
	Restart         string   `yaml:"restart"`
}

type containerBuild struct {
	Context    string `yaml:"context"`
	Dockerfile string `yaml:"dockerfile"`
}

func theCompositionNamesWhatThereIs(t *testing.T, program *built) {
	t.Helper()
	raw, err := os.ReadFile(operationsDir + "compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var c composition
	if err := yaml.NewDecoder(bytes.NewReader(raw), yaml.Strict()).Decode(&c); err != nil {
		t.Fatal(err)
	}
	processes := 0
	for name, s := range c.Services {
		c.mounts(t, name, s)
		for other, d := range s.DependsOn {
			if _, ok := c.Services[other]; !ok || !slices.Contains([]string{"service_healthy", "service_completed_successfully"}, d.Condition) {
				t.Errorf("%s depends on %s, %s", name, other, d.Condition)
			}
		}
		if s.Image != "custody" {
			continue
		}
		if len(s.Command) == 1 && s.Command[0] == "serve" {
			processes++
			s.serves(t, name, program)
		}
		for _, problem := range program.check(s.Command) {
			t.Errorf("%s: %s", name, problem)
		}
		for variable := range s.Environment {
			explained(t, variable)
		}
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s is not confined", name)
		}
	}
	if processes != 2 {
		t.Errorf("%d processes", processes)
	}
	b := c.Services["migrate"].Build
	if _, err := os.Stat(filepath.Join(operationsDir, b.Context, b.Dockerfile)); err != nil {
		t.Error(err)
	}
}

func (s service) serves(t *testing.T, name string, program *built) {
	t.Helper()
	if s.Healthcheck.Test[0] != "CMD" || s.Healthcheck.Test[1] != "/usr/local/bin/custody" || len(program.check(s.Healthcheck.Test[2:])) > 0 {
		t.Errorf("%s: its health check is %q", name, s.Healthcheck.Test)
	}
	if d, err := time.ParseDuration(s.StopGracePeriod); err != nil || d <= 30*time.Second {
		t.Errorf("%s: it is given %s to end, and drains for 30 s", name, d)
	}
	if d, err := time.ParseDuration(s.Healthcheck.Timeout); err != nil || d < 30*time.Second {
		t.Errorf("%s: doctor is given %s, and takes up to 30 s", name, d)
	}
}

// mounts looks at what is mounted: a named volume, a file that is here, or one
// that the comment asks for.
func (c composition) mounts(t *testing.T, name string, s service) {
	t.Helper()
	theirs := []string{"./config.yaml", "./tls"}
	for _, m := range s.Volumes {
		from, _, _ := strings.Cut(m, ":")
		if !strings.HasPrefix(from, ".") {
			if _, ok := c.Volumes[from]; !ok {
				t.Errorf("%s: there is no volume %s", name, from)
			}
			continue
		}
		if _, err := os.Stat(filepath.Join(operationsDir, from)); err != nil && !slices.Contains(theirs, from) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
