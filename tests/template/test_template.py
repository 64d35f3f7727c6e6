"""What template.yaml promises of safety and care, read off the template that SAM makes of it."""

import importlib
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from billing.api.messages import MAX_RECEIVES
from billing.dialects.registry import dialect_of
from billing.persistence.dynamodb import EXPIRES_AT
from local.stack import ROOT
from tests import template

CHECKOV = ROOT / ".local" / "checkov" / "bin" / "checkov"
RUNBOOKS = ROOT / "docs" / "runbooks"

GATEWAY_SECONDS = 30
"""How long an HTTP API waits for a function."""
FORTNIGHT = 14 * 24 * 3600
"""The longest that a queue keeps a message."""
MANAGED = ["service-role/AWSLambdaBasicExecutionRole"]
OTHERS_MANAGED = {
    "SchedulesRole": [],
    "BackupRole": [
        "service-role/AWSBackupServiceRolePolicyForBackup",
        "AWSBackupServiceRolePolicyForS3Backup",
    ],
}

type Json = dict[str, Any]


def of_type(kind: str) -> dict[str, Json]:
    """Find the properties of all resources of a type, by their names."""
    return {
        name: resource["Properties"]
        for name, resource in template.expanded()["Resources"].items()
        if resource["Type"] == f"AWS::{kind}"
    }


def named(value: Any) -> str:
    """Write a reference readably: the table's own name for its ARN."""
    if isinstance(value, str):
        return value
    [(function, argument)] = value.items()
    if function == "Ref":
        return str(argument).removesuffix("Aliaslive")
    if function == "Fn::GetAtt":
        return ".".join(argument).removesuffix(".Arn").removesuffix(".Id")
    argument = re.sub(
        r"^.*:secret:\$\{AWS::StackName\}/verifactu/", "FiscalCertificates/", argument
    )
    argument = re.sub(r"^arn:.*(event-bus/|:(?=identity/|configuration-set/))", "", argument)
    return re.sub(r"\$\{(.*?)(\.Arn)?\}", r"\1", argument.replace("${AWS::StackName}-", ""))


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


# ---------------------------------------------------------------- who gets in, and what it may do


HTTP = [source for source in template.sources() if source.type == "HttpApi"]
OPEN = {"GET /", "GET /openapi.json", "GET /docs", "GET /console"}
SHARED = {
    "GET /p/{token}",
    "HEAD /p/{token}",
    "GET /p/{token}/pdf",
    "GET /p/{token}/cii.xml",
    "GET /p/{token}/ubl.xml",
}
"""What a link opens, and nobody who has none."""


@pytest.mark.parametrize("source", HTTP, ids=lambda source: source.route)
def test_no_route_answers_without_a_token_but_the_reference(source: template.Source) -> None:
    method, path = source.route.split() if " " in source.route else ("GET", "/v2/nowhere")
    path = re.sub(r"\{\w+\}", "1", path)

    answer = _answer(source, method, path, {"x-auth-roles": "admin", "accept": "*/*"})

    if source.route in OPEN:
        assert answer["statusCode"] == (302 if path == "/" else 200)
    elif source.route in SHARED:
        assert answer["statusCode"] == 404
    else:
        assert answer["statusCode"] == 401
        failure = dialect_of(path).error_schema.model_validate_json(answer["body"])
        assert "UNAUTHENTICATED" in str(failure.model_dump())


def _answer(source: template.Source, method: str, path: str, headers: dict[str, str]) -> Json:
    """Call the function of a route as the gateway does."""
    module = importlib.import_module(f"functions.{source.function}.app")
    context = SimpleNamespace(
        function_name="function",
        memory_limit_in_mb=1024,
        invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:function",
        aws_request_id="00000000-0000-0000-0000-000000000000",
        get_remaining_time_in_millis=lambda: 20_000,
    )
    names = re.findall(r"\{(\w+)\}", source.route)
    event = {
        "version": "2.0",
        "routeKey": source.route,
        "rawPath": path,
        "headers": headers,
        "requestContext": {
            "http": {"method": method, "path": path},
            "requestId": "request",
            "stage": "$default",
        },
        **({"pathParameters": dict.fromkeys(names, "1")} if names else {}),
        **({"body": "{}"} if method in ("POST", "PUT") else {}),
    }
    answer: Json = module.lambda_handler(event, context)
    return answer


def test_every_route_asks_the_application_and_nobody_before_it() -> None:
    [api] = of_type("ApiGatewayV2::Api").values()
    operations = {
        ("$default" if path == "$default" else f"{method.upper()} {path}"): operation
        for path, methods in api["Body"]["paths"].items()
        for method, operation in methods.items()
    }

    assert operations.keys() == template.routes()
    assert [route for route in operations if "security" in operations[route]] == []
    assert "components" not in api["Body"]


def test_the_log_of_calls_has_no_path_as_that_of_a_shared_page_is_a_secret() -> None:
    [stage] = of_type("ApiGatewayV2::Stage").values()

    logged = re.findall(r"\$context\.([\w.]+)", stage["AccessLogSettings"]["Format"])

    assert "routeKey" in logged
    assert set(logged) <= {
        "requestId", "requestTime", "identity.sourceIp", "routeKey", "status", "responseLatency",
        "integrationLatency", "integrationErrorMessage",
    }  # fmt: skip


OF_BROWSERS = {
    "accept", "accept-encoding", "cache-control", "content-encoding", "content-security-policy",
    "referrer-policy", "x-content-type-options",
}  # fmt: skip
"""Headers that browsers send, read or obey without being allowed to."""


def test_a_page_of_another_site_may_send_and_read_every_header_of_the_api() -> None:
    document = json.loads((ROOT / "functions" / "front" / "openapi.json").read_text())
    operations = [each for methods in document["paths"].values() for each in methods.values()]
    answers = [answer for each in operations for answer in each["responses"].values()]
    recorded = [json.loads(each.read_text()) for each in (ROOT / "events/answers").glob("*.json")]
    code = "".join(each.read_text() for each in (ROOT / "layers/billing/billing/api").glob("*.py"))
    parameters = [each for operation in operations for each in operation["parameters"]]
    sent = {
        *(each["name"] for each in parameters if each["in"] == "header"),
        *re.findall(r'eaders(?: or \{\})?\)?\.get\("([\w-]+)"', code),
        *document["components"]["securitySchemes"].keys() - {"Bearer"},
        "authorization",
    }
    read = {
        *(name for answer in answers for name in answer.get("headers", {})),
        *(name for answer in recorded for name in answer["headers"]),
        *re.findall(r'headers\["([\w-]+)"\] = ', code),
    }

    cors = template.written()["Resources"]["Api"]["Properties"]["CorsConfiguration"]["Fn::If"][1]

    assert {"If-Match", "if-none-match", "RANGED-DATA", "content-type"} <= sent
    assert {"ranged-data", "allow", "retry-after", "idempotent-replayed", "etag"} <= read
    assert _lower(sent) - OF_BROWSERS <= set(cors["AllowHeaders"])
    assert _lower(read) - OF_BROWSERS - {"content-type"} <= set(cors["ExposeHeaders"])
    assert set(cors["AllowMethods"]) == {route.split()[0] for route in _routed() - SHARED}


def _lower(names: set[str]) -> set[str]:
    return {name.lower() for name in names}


def _routed() -> set[str]:
    return template.routes() - {"$default"}


def test_each_role_may_do_what_the_allowlist_says_and_nothing_else() -> None:
    allowed = {
        role: {where: sorted(what.split()) for where, what in grants.items()}
        for role, grants in yaml.safe_load((ROOT / "tests" / "roles.yaml").read_text()).items()
    }

    assert {
        name.replace("FunctionRole", "Function"): _grants(role)
        for name, role in of_type("IAM::Role").items()
    } == allowed


def _grants(role: Json) -> dict[str, list[str]]:
    grants: dict[str, list[str]] = {}
    for policy in role.get("Policies", []):
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement.keys() == {"Effect", "Action", "Resource"}
            assert statement["Effect"] == "Allow"
            for where in listed(statement["Resource"]):
                grants.setdefault(named(where), []).extend(listed(statement["Action"]))
    return {where: sorted(set(what)) for where, what in grants.items()}


def test_functions_have_one_policy_of_aws_and_others_what_their_service_asks_for() -> None:
    for name, role in of_type("IAM::Role").items():
        managed = [named(arn).split("policy/")[1] for arn in role.get("ManagedPolicyArns", [])]
        assert managed == OTHERS_MANAGED.get(name, MANAGED), name


def test_functions_write_to_one_log_group_only() -> None:
    [(name, boundary)] = of_type("IAM::ManagedPolicy").items()
    all_else, logs = boundary["PolicyDocument"]["Statement"]

    for role_name, role in of_type("IAM::Role").items():
        expected = None if role_name in OTHERS_MANAGED else {"Ref": name}
        assert role.get("PermissionsBoundary") == expected, role_name
    assert all_else == {"Effect": "Allow", "NotAction": "logs:*", "Resource": "*"}
    assert logs == {
        "Effect": "Allow",
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": {"Fn::GetAtt": ["LogGroup", "Arn"]},
    }


def test_functions_are_called_by_the_gateway_only_each_by_its_own_route() -> None:
    for name, permission in of_type("Lambda::Permission").items():
        assert permission["Principal"] == "apigateway.amazonaws.com", name
        assert "SourceArn" in permission, name


# ---------------------------------------------------------------- what is kept


def test_what_is_kept_outlives_the_stack() -> None:
    kept = {"AWS::DynamoDB::Table", "AWS::S3::Bucket"}
    for name, resource in template.expanded()["Resources"].items():
        if resource["Type"] in kept:
            # Except on create, so that a first deployment that fails can be repeated.
            assert resource["DeletionPolicy"] == "RetainExceptOnCreate", name
            assert resource["UpdateReplacePolicy"] == "Retain", name


@pytest.mark.parametrize("name", of_type("DynamoDB::Table"))
def test_a_table_is_encrypted_and_can_be_restored(name: str) -> None:
    table = of_type("DynamoDB::Table")[name]

    # Without a key of one's own, DynamoDB encrypts with one that it owns, without charge.
    assert table["SSESpecification"]["Fn::If"] == [
        "HasTableKey",
        {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": {"Ref": "TableKeyArn"}},
        {"Ref": "AWS::NoValue"},
    ]
    assert table["DeletionProtectionEnabled"] == {"Ref": "DeletionProtection"}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["BillingMode"] == "PAY_PER_REQUEST"


def test_what_is_of_no_use_any_more_ends_by_itself() -> None:
    ending = {
        name: table["TimeToLiveSpecification"]
        for name, table in of_type("DynamoDB::Table").items()
        if "TimeToLiveSpecification" in table
    }

    assert ending.keys() == {
        "BillingRunsTable",
        "EventsTable",
        "LinksTable",
        "TokensTable",
        "WebhooksTable",
    }
    for each in ending.values():
        assert each == {"AttributeName": EXPIRES_AT, "Enabled": True}


def test_the_bucket_is_private_encrypted_and_versioned() -> None:
    [bucket] = of_type("S3::Bucket").values()

    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    [rule] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}


def test_bucket_and_queues_talk_tls_only_and_no_policy_lets_anybody_in() -> None:
    [of_bucket] = of_type("S3::BucketPolicy").values()
    of_queues = of_type("SQS::QueuePolicy")
    [*_, for_the_rule] = of_queues["MailQueuesPolicy"]["PolicyDocument"]["Statement"]
    for policy, action in ((of_bucket, "s3:*"), *((each, "sqs:*") for each in of_queues.values())):
        [statement] = [
            each for each in policy["PolicyDocument"]["Statement"] if each is not for_the_rule
        ]
        assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
        assert statement["Action"] == action
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    where = [named(each) for each in of_bucket["PolicyDocument"]["Statement"][0]["Resource"]]
    assert where == ["DocumentsBucket", "DocumentsBucket/*"]
    queues = [each["Ref"] for policy in of_queues.values() for each in policy["Queues"]]
    assert sorted(queues) == sorted(of_type("SQS::Queue"))


def test_only_the_rule_for_mails_may_send_from_outside() -> None:
    policy = of_type("SQS::QueuePolicy")["MailQueuesPolicy"]
    condition, allowed, nothing = policy["PolicyDocument"]["Statement"][-1]["Fn::If"]

    assert (condition, nothing) == ("HasMail", {"Ref": "AWS::NoValue"})
    assert allowed["Principal"] == {"Service": "events.amazonaws.com"}
    assert allowed["Action"] == "sqs:SendMessage"
    assert allowed["Condition"] == {
        "ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["MailFeedback", "Arn"]}}
    }
    assert {each["Ref"] for each in policy["Queues"]} == {"MailQueue", "MailDeadLetters"}


def test_logs_end_some_day() -> None:
    groups = of_type("Logs::LogGroup")

    assert all("RetentionInDays" in group for group in groups.values())
    for name, function in of_type("Lambda::Function").items():
        assert function["LoggingConfig"]["LogGroup"]["Ref"] in groups, name


# ---------------------------------------------------------------- what goes wrong


def test_an_answer_is_ours_before_the_gateway_gives_up() -> None:
    functions = of_type("Lambda::Function")
    called = {source.function for source in template.sources() if source.type == "HttpApi"}
    behind = {name for name, folder in template.functions().items() if folder in called}

    assert len(behind) == len(called)
    # DocumentsFunction is called by InvoicesFunction, which does not wait for its end.
    for name in behind:
        assert functions[name]["Timeout"] < GATEWAY_SECONDS, name


def test_a_message_that_keeps_failing_is_kept_where_it_can_be_replayed() -> None:
    queues = of_type("SQS::Queue")
    for mapping in of_type("Lambda::EventSourceMapping").values():
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        source = named(mapping["EventSourceArn"])
        if source in queues:
            function = of_type("Lambda::Function")[named(mapping["FunctionName"])]
            assert queues[source]["VisibilityTimeout"] >= 6 * function["Timeout"], source
            # Else Lambda takes hundreds at once, of the concurrency that the API needs.
            parameter = mapping["ScalingConfig"]["MaximumConcurrency"]["Ref"]
            most = template.expanded()["Parameters"][parameter]
            assert (most["MinValue"], most["MaxValue"]) == (2, 1000), source  # of Lambda
            assert most["Default"] <= 50, source
            redrive = queues[source]["RedrivePolicy"]
            assert redrive["maxReceiveCount"] == MAX_RECEIVES
            dead = named(redrive["deadLetterTargetArn"])
            assert queues[dead].get("FifoQueue") == queues[source].get("FifoQueue")
        else:
            dead = named(mapping["DestinationConfig"]["OnFailure"]["Destination"])
            assert mapping["MaximumRetryAttempts"] < 100
        assert queues[dead]["MessageRetentionPeriod"] == FORTNIGHT
    for queue in queues.values():
        assert queue["SqsManagedSseEnabled"] is True


def test_functions_that_send_to_themselves_are_not_stopped_for_it_and_no_others() -> None:
    takers = {
        named(mapping["EventSourceArn"]): named(mapping["FunctionName"])
        for mapping in of_type("Lambda::EventSourceMapping").values()
    }
    sends = {
        name.replace("FunctionRole", "Function"): {
            takers[queue]
            for queue, actions in _grants(role).items()
            if "sqs:SendMessage" in actions and queue in takers
        }
        for name, role in of_type("IAM::Role").items()
    }

    def reached(function: str, seen: frozenset[str] = frozenset()) -> frozenset[str]:
        for each in sends.get(function, set()) - seen:
            seen = reached(each, seen | {each})
        return seen

    looping = {name for name in sends if name in reached(name)}
    assert looping == {
        "DispatchBillingFunction",
        "BillAccountsFunction",
        "AuditFunction",
        "LookupsFunction",
        "SendFiscalRecordsFunction",
        "DeliverWebhooksFunction",
        "SendInvoiceFunction",
    }
    for name, function in of_type("Lambda::Function").items():
        assert function.get("RecursiveLoop") == ("Allow" if name in looping else None), name


def test_no_stream_has_more_than_two_readers() -> None:
    readers = [
        named(mapping["EventSourceArn"])
        for mapping in of_type("Lambda::EventSourceMapping").values()
        if named(mapping["EventSourceArn"]).endswith(".StreamArn")
    ]

    assert "InvoicesTable.StreamArn" in readers
    assert {stream: readers.count(stream) for stream in readers if readers.count(stream) > 2} == {}


def test_functions_share_the_quota_of_the_account() -> None:
    watched = {
        alarm["MetricName"]: alarm
        for alarm in of_type("CloudWatch::Alarm").values()
        if alarm["Namespace"] == "AWS/Lambda" and "Dimensions" not in alarm
    }

    assert watched.keys() == {"Throttles", "ConcurrentExecutions"}
    assert watched["ConcurrentExecutions"]["Threshold"] == {"Ref": "ConcurrencyAlarmAt"}


def test_a_schedule_that_cannot_send_keeps_its_message_with_those_of_its_queue() -> None:
    queues = of_type("SQS::Queue")
    for schedule in of_type("Scheduler::Schedule").values():
        queue = queues[named(schedule["Target"]["Arn"])]
        assert (
            schedule["Target"]["DeadLetterConfig"]["Arn"]
            == (queue["RedrivePolicy"]["deadLetterTargetArn"])
        )


def test_nothing_calls_a_function_without_keeping_what_fails() -> None:
    # Whatever else calls functions (topics, rules, buckets) would need a dead letter queue too.
    assert {source.type for source in template.sources()} == {
        "DynamoDB", "HttpApi", "SQS", "Schedule",
    }  # fmt: skip
    assert of_type("Lambda::EventInvokeConfig") == {}
    queues = of_type("SQS::Queue")
    for rule in of_type("Events::Rule").values():
        for target in rule["Targets"]:
            redrive = queues[named(target["Arn"])]["RedrivePolicy"]
            assert target["DeadLetterConfig"]["Arn"] == redrive["deadLetterTargetArn"]


def _dead_letters() -> Iterator[str]:
    for queue in of_type("SQS::Queue").values():
        if "RedrivePolicy" in queue:
            yield named(queue["RedrivePolicy"]["deadLetterTargetArn"])
    for mapping in of_type("Lambda::EventSourceMapping").values():
        if "DestinationConfig" in mapping:
            yield named(mapping["DestinationConfig"]["OnFailure"]["Destination"])


@pytest.mark.parametrize("queue", sorted(set(_dead_letters())))
def test_the_first_dead_letter_raises_an_alarm(queue: str) -> None:
    [alarm] = [
        alarm
        for alarm in of_type("CloudWatch::Alarm").values()
        if alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
        and alarm["Dimensions"][0]["Value"] == {"Fn::GetAtt": [queue, "QueueName"]}
    ]

    assert (alarm["Threshold"], alarm["EvaluationPeriods"]) == (1, 1)
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"


def test_what_waits_too_long_raises_an_alarm() -> None:
    watched = {
        named(alarm["Dimensions"][0]["Value"]).removesuffix(".QueueName")
        for alarm in of_type("CloudWatch::Alarm").values()
        if alarm["MetricName"] == "ApproximateAgeOfOldestMessage"
    }
    behind = [
        alarm["Dimensions"][0]["Value"]
        for alarm in of_type("CloudWatch::Alarm").values()
        if alarm["MetricName"] == "IteratorAge"
    ]

    assert watched == {
        "RunsQueue", "BatchesQueue", "AuditsQueue", "LookupsQueue", "FiscalRecordsQueue",
        "WebhooksQueue", "MailQueue",
    }  # fmt: skip
    assert behind == [
        {"Ref": f"{name}Function"}
        for name in (
            "Documents",
            "PublishEvents",
            "AnnounceEvents",
            "DeliverWebhooks",
        )
    ]


def test_alarms_count_what_the_filters_find() -> None:
    counted = {
        alarm["MetricName"]
        for alarm in of_type("CloudWatch::Alarm").values()
        if alarm["Namespace"] == {"Ref": "AWS::StackName"}
    }
    found = {
        each["MetricTransformations"][0]["MetricName"]
        for each in of_type("Logs::MetricFilter").values()
    }

    assert counted == found == {
        "Failures", "Breaches", "DailyRuns", "Loops", "Throttles", "WebhookFailures",
        "UnsentFiscalRecords", "RejectedFiscalRecords",
    }  # fmt: skip


def test_calls_turned_away_are_counted_by_what_the_access_log_has() -> None:
    [stage] = of_type("ApiGatewayV2::Stage").values()
    filter_ = of_type("Logs::MetricFilter")["RefusedFilter"]
    fields = json.loads(stage["AccessLogSettings"]["Format"])

    asked = set(re.findall(r"\$\.(\w+)", filter_["FilterPattern"]))
    assert {name for name in fields if fields[name] == "$context.status"} == asked
    assert filter_["LogGroupName"] == {"Ref": "AccessLogGroup"}


def test_a_day_without_runs_raises_an_alarm() -> None:
    alarm = of_type("CloudWatch::Alarm")["RunsMissingAlarm"]
    [transformation] = of_type("Logs::MetricFilter")["DailyRunsFilter"]["MetricTransformations"]

    assert alarm["Period"] * alarm["EvaluationPeriods"] == 25 * 3600
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 1)
    assert alarm["MetricName"] == transformation["MetricName"]
    assert "DatapointsToAlarm" not in alarm  # all of them


@pytest.mark.parametrize("name", of_type("CloudWatch::Alarm"))
def test_an_alarm_tells_somebody_and_says_what_to_do(name: str) -> None:
    alarm = of_type("CloudWatch::Alarm")[name]
    page = re.search(r"docs/runbooks/[\w-]+\.md$", alarm["AlarmDescription"])

    assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}]
    missing = "breaching" if name == "RunsMissingAlarm" else "notBreaching"
    assert alarm["TreatMissingData"] == missing
    assert page, alarm["AlarmDescription"]
    assert f"`{name}`" in (ROOT / page[0]).read_text()


def test_every_runbook_is_for_an_alarm_there_is() -> None:
    alarms = of_type("CloudWatch::Alarm")
    for page in RUNBOOKS.glob("*.md"):
        named_there = set(re.findall(r"`(\w+Alarm)`", page.read_text()))
        assert named_there, page.name
        assert named_there <= alarms.keys(), page.name


def _dashboard() -> list[Json]:
    [dashboard] = of_type("CloudWatch::Dashboard").values()
    body = dashboard["DashboardBody"]["Fn::Sub"].replace("${AWS::StackName}", "billing")
    return list(json.loads(re.sub(r"\$\{(\w+)\.Arn\}", r"\1", body))["widgets"])


def test_the_dashboard_shows_every_alarm() -> None:
    [alarms] = [each["properties"]["alarms"] for each in _dashboard() if each["type"] == "alarm"]

    assert alarms == list(of_type("CloudWatch::Alarm"))


def test_the_dashboard_searches_by_the_name_of_the_stack() -> None:
    shown: dict[str, set[str]] = {}
    for widget in _dashboard():
        for row in widget["properties"].get("metrics", []):
            if isinstance(row[0], dict):
                search = re.fullmatch(
                    r"""SEARCH\('\{(.*)\} MetricName="(.*)" (.*)', '\w+'\)""", row[0]["expression"]
                )
                assert search, row
                shown.setdefault(f"{search[1]} {search[3]}", set()).add(search[2])

    assert shown == {
        "AWS/Lambda,FunctionName FunctionName=billing": {"Duration", "Errors", "IteratorAge"},
        "AWS/SQS,QueueName QueueName=billing NOT DeadLetters": {
            "ApproximateAgeOfOldestMessage",
            "ApproximateNumberOfMessagesVisible",
        },
        "AWS/SQS,QueueName QueueName=billing DeadLetters": {"ApproximateNumberOfMessagesVisible"},
        "AWS/DynamoDB,TableName TableName=billing": {
            "ConsumedReadCapacityUnits",
            "ConsumedWriteCapacityUnits",
        },
    }


def test_functions_tables_and_queues_have_names_that_the_dashboard_finds() -> None:
    for kind in ("Lambda::Function", "DynamoDB::Table", "SQS::Queue"):
        for name, properties in of_type(kind).items():
            # CloudFormation begins the names that it makes with that of the stack.
            assert f"{kind.split('::')[1]}Name" not in properties, name
    dead = {name for name in of_type("SQS::Queue") if name.endswith("DeadLetters")}
    assert dead == set(_dead_letters())


# ---------------------------------------------------------------- what others look for


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "expanded.json"
    path.write_text(json.dumps(template.expanded(), indent=1))
    return path


@pytest.mark.skipif(not CHECKOV.exists(), reason="needs checkov: make .local/checkov/ready")
def test_checkov_finds_nothing_but_what_is_skipped_with_a_reason(file: Path) -> None:
    config = str(ROOT / ".checkov.yaml")
    command = [str(CHECKOV), "--file", str(file), "--config-file", config, "--output", "json"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    report = json.loads(found.stdout)
    failed = [(each["check_id"], each["resource"]) for each in report["results"]["failed_checks"]]

    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["resource_count"] == len(template.expanded()["Resources"])
    assert report["summary"]["passed"] > 100
    assert failed == []
